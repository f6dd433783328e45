ALTER TABLE "environments" ADD COLUMN "parent" text;--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "last_used_at" timestamp(3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "ledger" ADD COLUMN "secret" text DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') NOT NULL;--> statement-breakpoint
ALTER TABLE "environments" ADD CONSTRAINT "environments_parent_environments_name_fk" FOREIGN KEY ("parent") REFERENCES "public"."environments"("name") ON DELETE no action ON UPDATE no action;