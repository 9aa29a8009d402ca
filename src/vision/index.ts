export {
  XResBlock,
  type XResNetOptions,
  xresnet,
  xresnet18,
  xresnet34,
  xresnet50,
  xresnet101,
  xresnet152,
} from "./xresnet.ts";
