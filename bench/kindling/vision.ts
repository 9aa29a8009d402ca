/** Image networks, built as peers/pytorch.py builds them. */
import { nn, type Tensor } from "kindling";
import { xresnet18 } from "kindling/vision";
import type { LoopWork, TrainWork } from "../workloads.ts";
import type { Prepared } from "./prepared.ts";
import { prepareTraining } from "./training.ts";

export function prepareVision(work: TrainWork | LoopWork): Prepared {
  return prepareTraining(work, build(work));
}

function build(work: TrainWork | LoopWork): nn.Module {
  switch (work.model) {
    case "cnn":
      return cnn();
    case "xresnet18":
      return xresnet18({ inChannels: work.image[0], classes: 10 });
    case "resnet-miniai":
      return resnetMiniai();
    case "mlp":
      throw new Error("the mlp is not an image network");
  }
}

/** The course's net: four stride-2 convolutions with batch normalisation. */
function cnn(): nn.Module {
  const block = (ni: number, nf: number, kernel: number) => [
    new nn.Conv2d(ni, nf, kernel, { stride: 2, padding: Math.floor(kernel / 2), bias: false }),
    new nn.BatchNorm2d(nf),
    new nn.ReLU(),
  ];
  return new nn.Sequential(
    ...block(1, 8, 5),
    ...block(8, 16, 3),
    ...block(16, 32, 3),
    ...block(32, 32, 3),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(32, 10),
  );
}

/** miniai's ResNet 8…256; its convolutions keep their biases. */
function resnetMiniai(): nn.Module {
  const sizes = [8, 16, 32, 64, 128, 256];
  return new nn.Sequential(
    new MiniResBlock(1, 8, 1),
    ...sizes.slice(1).map((nf, i) => new MiniResBlock(sizes[i], nf, 2)),
    new nn.Flatten(),
    new nn.Linear(256, 10, { bias: false }),
    new nn.BatchNorm1d(10),
  );
}

class MiniResBlock extends nn.Module {
  readonly convs: nn.Sequential;
  readonly idconv: nn.Module;
  readonly pool: nn.Module;
  readonly act: nn.Module;

  constructor(ni: number, nf: number, stride: number) {
    super();
    const relu = () => new nn.GeneralRelu({ leak: 0.1, sub: 0.4 });
    this.convs = new nn.Sequential(
      new nn.Sequential(new nn.Conv2d(ni, nf, 3, { padding: 1 }), new nn.BatchNorm2d(nf), relu()),
      new nn.Sequential(new nn.Conv2d(nf, nf, 3, { stride, padding: 1 }), new nn.BatchNorm2d(nf)),
    );
    this.idconv = ni === nf ? new nn.Identity() : new nn.Conv2d(ni, nf, 1);
    this.pool = stride === 1 ? new nn.Identity() : new nn.AvgPool2d(2, { ceilMode: true });
    this.act = relu();
  }

  forward(x: Tensor): Tensor {
    return this.act.forward(this.convs.forward(x).add(this.idconv.forward(this.pool.forward(x))));
  }
}
