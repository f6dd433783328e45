CREATE TABLE "checkouts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"environment" text NOT NULL,
	"org" integer NOT NULL,
	"features" text[] NOT NULL,
	"trial_days" integer NOT NULL,
	"success_url" text NOT NULL,
	"cancel_url" text,
	"expires_at" timestamp(3) with time zone NOT NULL,
	"completed_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "checkouts_created_at" ON "checkouts" USING btree ("created_at");