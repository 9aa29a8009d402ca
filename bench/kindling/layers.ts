/** Single layers: convolutions by direction, normalisations forward and backward. */
import { F, nn, noGrad, randn, type Tensor } from "kindling";
import type { ConvWork, NormWork } from "../workloads.ts";
import { type Prepared, repeated } from "./prepared.ts";

/** Backward runs again and again through one kept graph in which only the wanted gradient exists. */
export function prepareConv(work: ConvWork): Prepared {
  const { direction, input, filters, kernel, stride, padding, groups } = work;
  const x = images(input);
  x.requiresGrad = direction === "backward-data";
  const w = randn([filters, input[1] / groups, kernel, kernel], { requiresGrad: direction === "backward-weights" });
  const forward = () => F.conv2d(x, w, undefined, { stride, padding, groups });
  if (direction === "forward") {
    return repeated(() => {
      noGrad(forward);
    });
  }
  const y = forward();
  const gradient = images(y.shape);
  return repeated(() => {
    x.grad = undefined;
    w.grad = undefined;
    y.backward({ gradient, retainGraph: true });
  });
}

export function prepareNorm(work: NormWork): Prepared {
  const x = images(work.shape);
  x.requiresGrad = true;
  const layer = layerOf(work);
  const gradient = images(work.shape);
  const parameters = [...layer.parameters()];
  return repeated(() => {
    x.grad = undefined;
    for (const p of parameters) p.grad = undefined;
    layer.forward(x).backward({ gradient });
  });
}

/** Images in the memory format that layers hand each other, as peers/pytorch.py has them in its channels-last setting. */
function images(shape: readonly number[]): Tensor {
  const x = randn(shape);
  return shape.length === 4 ? x.contiguous({ memoryFormat: "channelsLast" }) : x;
}

function layerOf({ norm, shape, groups }: NormWork) {
  switch (norm) {
    case "batch":
      return shape.length === 4 ? new nn.BatchNorm2d(shape[1]) : new nn.BatchNorm1d(shape[1]);
    case "layer":
      return new nn.LayerNorm(shape[shape.length - 1]);
    case "group":
      return new nn.GroupNorm(groups, shape[1]);
    case "instance":
      return new nn.InstanceNorm2d(shape[1], { affine: true });
  }
}
