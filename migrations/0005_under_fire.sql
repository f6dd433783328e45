CREATE TABLE "idempotency_keys" (
	"environment" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" uuid NOT NULL,
	"started_at" timestamp(3) with time zone NOT NULL,
	"status" integer,
	"body" text,
	CONSTRAINT "idempotency_keys_environment_key_pk" PRIMARY KEY("environment","key")
);
--> statement-breakpoint
CREATE TABLE "reservations" (
	"org" integer NOT NULL,
	"id" text NOT NULL,
	"feature" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"window_start" timestamp(3) with time zone NOT NULL,
	"window_end" timestamp(3) with time zone,
	"amount" numeric(38,9) NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	"state" text NOT NULL,
	"used" numeric(38,9) NOT NULL,
	"reserved" numeric(38,9) NOT NULL,
	"limit" numeric(38,9),
	"fingerprint" uuid NOT NULL,
	CONSTRAINT "reservations_org_id_pk" PRIMARY KEY("org","id")
);
--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "reserved_after" numeric(38,9);--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "on_outage" text DEFAULT 'lastKnown' NOT NULL;--> statement-breakpoint
ALTER TABLE "ledger" ADD COLUMN "events_kept_since" timestamp(3) with time zone;--> statement-breakpoint
CREATE INDEX "idempotency_keys_started_at" ON "idempotency_keys" USING btree ("started_at");--> statement-breakpoint
CREATE INDEX "reservations_id" ON "reservations" USING btree ("id");--> statement-breakpoint
CREATE INDEX "reservations_org_at" ON "reservations" USING btree ("org","at","id");--> statement-breakpoint
CREATE INDEX "reservations_held" ON "reservations" USING btree ("org","feature","window_start","expires_at") WHERE state = 'held';--> statement-breakpoint
CREATE INDEX "reservations_expires_at" ON "reservations" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "events_refers_to" ON "events" USING btree ("org","refers_to","seq") WHERE refers_to is not null;--> statement-breakpoint
CREATE INDEX "events_not_adding" ON "events" USING btree ("org","feature","window_start","seq") WHERE mode = 'set' or amount < 0;