import { config } from "zod";

// The page's policy forbids code generation at run time. Import this before anything that creates a validator.
config({ jitless: true });
