-- The ledger's id: it names this ledger in every mirror key.
INSERT INTO "ledger" DEFAULT VALUES;
--> statement-breakpoint
INSERT INTO "environments" ("name") VALUES ('live'), ('test');
--> statement-breakpoint
-- A batch writes in the transaction that holds its locks, or not at all: after a lost connection a driver may send the
-- write on a new one, where nothing is locked.
CREATE FUNCTION "ledger_in_transaction" (expected text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF pg_current_xact_id()::text IS DISTINCT FROM expected THEN
    RAISE EXCEPTION 'the transaction that locked the orgs is gone' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN true;
END
$$;
--> statement-breakpoint
-- A counter is written from the version that was read. Under the org's lock it cannot move; should it, the batch is run again.
CREATE FUNCTION "ledger_counter_moved" (stored bigint, read bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a counter is at version %, not %', stored, read USING ERRCODE = 'serialization_failure';
END
$$;
