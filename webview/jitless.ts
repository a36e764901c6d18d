import { config } from "zod";

// The page's policy allows no code made at run time. Import this before anything that makes a validator.
config({ jitless: true });
