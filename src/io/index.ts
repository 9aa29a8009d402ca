export {
  loadSafetensors,
  type NamedTensors,
  parseSafetensors,
  type SafetensorsContent,
  saveSafetensors,
  serializeSafetensors,
} from "./safetensors.ts";
export type { ReadOptions } from "./safetensorsDtypes.ts";
export { EventFile } from "./tensorboard.ts";
