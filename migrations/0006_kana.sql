CREATE TABLE "billing_templates" (
	"environment" text NOT NULL,
	"id" text NOT NULL,
	"plan" integer NOT NULL,
	"price" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "billing_templates_environment_id_pk" PRIMARY KEY("environment","id")
);
--> statement-breakpoint
CREATE TABLE "org_aliases" (
	"environment" text NOT NULL,
	"name" text NOT NULL,
	"org" integer NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "org_aliases_environment_name_pk" PRIMARY KEY("environment","name")
);
--> statement-breakpoint
CREATE TABLE "org_import_rows" (
	"import" uuid NOT NULL,
	"line" integer NOT NULL,
	"org" text NOT NULL,
	"info" jsonb NOT NULL,
	CONSTRAINT "org_import_rows_import_line_pk" PRIMARY KEY("import","line")
);
--> statement-breakpoint
CREATE TABLE "org_imports" (
	"id" uuid PRIMARY KEY NOT NULL,
	"environment" text NOT NULL,
	"state" text NOT NULL,
	"atomic" boolean NOT NULL,
	"received" integer DEFAULT 0 NOT NULL,
	"applied" integer DEFAULT 0 NOT NULL,
	"created" integer DEFAULT 0 NOT NULL,
	"changed" integer DEFAULT 0 NOT NULL,
	"refused" integer DEFAULT 0 NOT NULL,
	"problems" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"touched_at" timestamp(3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "plan_addons" (
	"base" integer NOT NULL,
	"addon" integer NOT NULL,
	CONSTRAINT "plan_addons_base_addon_pk" PRIMARY KEY("base","addon")
);
--> statement-breakpoint
CREATE TABLE "plan_prices" (
	"plan" integer NOT NULL,
	"id" text NOT NULL,
	"provider" text NOT NULL,
	"amount" bigint NOT NULL,
	"currency" text NOT NULL,
	"interval" text,
	"position" integer NOT NULL,
	CONSTRAINT "plan_prices_plan_id_pk" PRIMARY KEY("plan","id")
);
--> statement-breakpoint
CREATE TABLE "segment_events" (
	"environment" text NOT NULL,
	"id" text NOT NULL,
	"seq" bigint GENERATED ALWAYS AS IDENTITY (sequence name "segment_events_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"org" text NOT NULL,
	"event" text NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"properties" jsonb NOT NULL,
	"received_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "segment_events_environment_id_pk" PRIMARY KEY("environment","id"),
	CONSTRAINT "segment_events_event" UNIQUE("environment","event","seq")
);
--> statement-breakpoint
CREATE TABLE "segment_rules" (
	"environment" text NOT NULL,
	"id" uuid NOT NULL,
	"event" text NOT NULL,
	"conditions" jsonb NOT NULL,
	"feature" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "segment_rules_environment_id_pk" PRIMARY KEY("environment","id")
);
--> statement-breakpoint
ALTER TABLE "checkouts" ALTER COLUMN "org" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "checkouts" ALTER COLUMN "success_url" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "checkouts" ADD COLUMN "adds" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "type" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "title" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "unit_label" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "unit_label_plural" text;--> statement-breakpoint
ALTER TABLE "features" ADD COLUMN "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "billing_templates" ADD CONSTRAINT "billing_templates_environment_environments_name_fk" FOREIGN KEY ("environment") REFERENCES "public"."environments"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "billing_templates" ADD CONSTRAINT "billing_templates_plan_plans_id_fk" FOREIGN KEY ("plan") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "org_aliases" ADD CONSTRAINT "org_aliases_org_orgs_id_fk" FOREIGN KEY ("org") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_addons" ADD CONSTRAINT "plan_addons_base_plans_id_fk" FOREIGN KEY ("base") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_addons" ADD CONSTRAINT "plan_addons_addon_plans_id_fk" FOREIGN KEY ("addon") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_prices" ADD CONSTRAINT "plan_prices_plan_plans_id_fk" FOREIGN KEY ("plan") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "billing_templates_plan" ON "billing_templates" USING btree ("plan");--> statement-breakpoint
CREATE INDEX "org_aliases_org" ON "org_aliases" USING btree ("org");--> statement-breakpoint
CREATE INDEX "org_imports_environment" ON "org_imports" USING btree ("environment","created_at");--> statement-breakpoint
CREATE INDEX "org_imports_unfinished" ON "org_imports" USING btree ("touched_at") WHERE state in ('receiving', 'applying');--> statement-breakpoint
CREATE INDEX "plan_addons_addon" ON "plan_addons" USING btree ("addon");--> statement-breakpoint
CREATE INDEX "plan_prices_id" ON "plan_prices" USING btree ("id");--> statement-breakpoint
CREATE INDEX "segment_events_received_at" ON "segment_events" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "segment_rules_event" ON "segment_rules" USING btree ("environment","event");--> statement-breakpoint
CREATE INDEX "orgs_email" ON "orgs" USING btree ("environment",lower(left(info->>'email', 320))) WHERE info->>'email' is not null;--> statement-breakpoint
CREATE INDEX "orgs_billing_id" ON "orgs" USING btree ("environment",left(info->>'billingId', 320)) WHERE info->>'billingId' is not null;--> statement-breakpoint
CREATE INDEX "orgs_without_billing_id" ON "orgs" USING btree ("environment","id") WHERE info->>'billingId' is null and deleted_at is null;--> statement-breakpoint
UPDATE "plans" SET "updated_at" = "created_at";
