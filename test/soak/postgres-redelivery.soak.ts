import { usePostgres } from "../support/service-store.ts";

// All tests of the file, with a PostgreSQL store.
await usePostgres();
await import("../service/redelivery.test.ts");
