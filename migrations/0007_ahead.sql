-- A batch that knows what it would read locks its orgs as it writes. It is told their versions, in the order of their keys: an
-- org that has changed, or is gone, makes the batch read first.
CREATE FUNCTION "ledger_unchanged" (locked integer[], known bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF known IS DISTINCT FROM ARRAY(
    SELECT version FROM orgs WHERE id = ANY (locked) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE
  ) THEN
    RAISE EXCEPTION 'an org has changed' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN true;
END
$$;
