export type { Rescore, RescoreReport, RescoreRequest } from "../models/rescore.ts";
