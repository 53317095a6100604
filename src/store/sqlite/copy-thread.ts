import { serveCalls } from "../thread/serve-calls.ts";
import { copyStore } from "./copy-store.ts";

/* The thread that copies a store. */

serveCalls(() => ({
  methods: {
    copy: async (store: string, copy: string) => {
      copyStore(store, copy);
    },
  },
}));
