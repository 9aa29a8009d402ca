import { accuracy, F, Learner, type LearnerOptions, nn } from "kindling";
import { fashionMnist, mnist } from "kindling/data";

/** The network of most of the early lessons: 784 pixels, 50 rectified units, 10 classes. */
export function perceptron(): nn.Sequential {
  return new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
}

/** Options that all learners here share. */
export const options = { loss: F.crossEntropy, metrics: { accuracy }, progress: false } as const;

/** MNIST as the course's file has it, split 50,000 and 10,000, pixels divided by 256. */
export async function mnistLearner(
  batchSize: number,
  lr: number,
  more: Partial<LearnerOptions> & { readonly dropLast?: boolean } = {},
): Promise<Learner> {
  const { dropLast = false, ...rest } = more;
  const dls = await mnist({ batchSize, flatten: true, normalize: false, scale: 256, dropLast });
  return new Learner(dls, perceptron(), { ...options, lr, ...rest });
}

/** Fashion-MNIST as nntrain has it: 60,000 and 10,000, pixels divided by 255, batches of 1024. */
export function fashionLoaders(): ReturnType<typeof fashionMnist> {
  return fashionMnist({ batchSize: 1024, flatten: true, normalize: false });
}

/** Validation accuracy of each epoch so far; NaN up to `epochs` for those a fit that failed did not reach. */
export function accuracies(learn: Learner, epochs: number = learn.recorder.records.length): number[] {
  return course(learn, "accuracy", epochs);
}

/** Validation loss of each epoch, as {@link accuracies}. */
export function losses(learn: Learner, epochs: number = learn.recorder.records.length): number[] {
  return course(learn, "loss", epochs);
}

function course({ recorder }: Learner, name: string, epochs: number): number[] {
  return Array.from({ length: epochs }, (_, epoch) => recorder.records[epoch]?.valid?.[name] ?? Number.NaN);
}
