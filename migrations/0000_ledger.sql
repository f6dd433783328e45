CREATE TABLE "counters" (
	"org" integer NOT NULL,
	"feature" integer NOT NULL,
	"window_start" timestamp(3) with time zone NOT NULL,
	"window_end" timestamp(3) with time zone,
	"used" numeric(38,9) NOT NULL,
	"reserved" numeric(38,9) NOT NULL,
	"version" bigint NOT NULL,
	"based_on" bigint NOT NULL,
	"last_at" timestamp(3) with time zone,
	"reserved_until" timestamp(3) with time zone,
	CONSTRAINT "counters_org_feature_window_start_pk" PRIMARY KEY("org","feature","window_start")
);
--> statement-breakpoint
CREATE TABLE "entitlements" (
	"plan" integer NOT NULL,
	"feature" integer NOT NULL,
	"title" text NOT NULL,
	"type" text NOT NULL,
	"limit" numeric(38,9),
	"overage" boolean NOT NULL,
	"reset" text NOT NULL,
	"aggregate" text NOT NULL,
	"combine" text NOT NULL,
	"price" jsonb NOT NULL,
	CONSTRAINT "entitlements_plan_feature_pk" PRIMARY KEY("plan","feature")
);
--> statement-breakpoint
CREATE TABLE "environments" (
	"name" text PRIMARY KEY NOT NULL,
	"default_plan" text,
	"fixed_now" timestamp(3) with time zone,
	"next_subscription" bigint DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"org" integer NOT NULL,
	"id" text NOT NULL,
	"seq" bigint GENERATED ALWAYS AS IDENTITY (sequence name "events_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"feature" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"window_start" timestamp(3) with time zone NOT NULL,
	"window_end" timestamp(3) with time zone,
	"amount" numeric(38,9) NOT NULL,
	"mode" text NOT NULL,
	"refers_to" text,
	"reason" text,
	"actor" text,
	"delta" numeric(38,9) NOT NULL,
	"used_after" numeric(38,9) NOT NULL,
	"limit_after" numeric(38,9),
	"fingerprint" uuid NOT NULL,
	"properties" jsonb,
	CONSTRAINT "events_org_id_pk" PRIMARY KEY("org","id")
);
--> statement-breakpoint
CREATE TABLE "features" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "features_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"environment" text NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "features_environment_name_unique" UNIQUE("environment","name")
);
--> statement-breakpoint
CREATE TABLE "ledger" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "orgs" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "orgs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"environment" text NOT NULL,
	"name" text NOT NULL,
	"version" bigint DEFAULT 1 NOT NULL,
	"time_zone" text DEFAULT 'UTC' NOT NULL,
	"info" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "orgs_environment_name_unique" UNIQUE("environment","name")
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "plans_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"environment" text NOT NULL,
	"name" text NOT NULL,
	"version" text NOT NULL,
	"title" text NOT NULL,
	"currency" text NOT NULL,
	"interval" text NOT NULL,
	"addon" boolean NOT NULL,
	"anchor" text NOT NULL,
	"status" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "plans_environment_name_version_unique" UNIQUE("environment","name","version")
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"org" integer NOT NULL,
	"id" bigint NOT NULL,
	"plan" integer NOT NULL,
	"feature" integer,
	"starts_at" timestamp(3) with time zone NOT NULL,
	"ends_at" timestamp(3) with time zone,
	"status" text NOT NULL,
	"anchor_at" timestamp(3) with time zone NOT NULL,
	"time_zone" text NOT NULL,
	"phase_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "subscriptions_org_id_pk" PRIMARY KEY("org","id")
);
--> statement-breakpoint
ALTER TABLE "entitlements" ADD CONSTRAINT "entitlements_plan_plans_id_fk" FOREIGN KEY ("plan") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "entitlements" ADD CONSTRAINT "entitlements_feature_features_id_fk" FOREIGN KEY ("feature") REFERENCES "public"."features"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_environment_environments_name_fk" FOREIGN KEY ("environment") REFERENCES "public"."environments"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orgs" ADD CONSTRAINT "orgs_environment_environments_name_fk" FOREIGN KEY ("environment") REFERENCES "public"."environments"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plans" ADD CONSTRAINT "plans_environment_environments_name_fk" FOREIGN KEY ("environment") REFERENCES "public"."environments"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_org_orgs_id_fk" FOREIGN KEY ("org") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_plan_plans_id_fk" FOREIGN KEY ("plan") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_feature_features_id_fk" FOREIGN KEY ("feature") REFERENCES "public"."features"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_org_feature_at" ON "events" USING btree ("org","feature","at");