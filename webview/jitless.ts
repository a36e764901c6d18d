import { config } from "zod";

// The page's policy forbids generating code at run time. Import this before any module that creates a validator.
config({ jitless: true });
