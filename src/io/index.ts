export {
  type CheckpointContent,
  type LoadedCheckpoint,
  loadCheckpoint,
  type SaveOptions,
  saveCheckpoint,
} from "./checkpoint.ts";
export type { Json } from "./json.ts";
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
