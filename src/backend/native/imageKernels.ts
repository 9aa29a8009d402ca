import type { View } from "../backend.ts";
import { type ChannelNorm, type FastKernels, isReLU, type Windows } from "../fast.ts";
import type { NativeBackend } from "./nativeBackend.ts";

/** Kernels of the addon for images and normalisation: convolution by oneDNN, the rest in loops of its own. */
export function nativeImageKernels({ addon, descriptor }: NativeBackend): Partial<FastKernels> {
  const start = (numbers: number, views: number): void => descriptor.start(numbers + 16, views);
  const addWindows = ({ stride, dilation, before }: Windows): void => {
    descriptor.addSizes(stride);
    descriptor.addSizes(dilation);
    descriptor.addSizes(before);
  };
  const addFlag = (flag: boolean): void => descriptor.add(flag ? 1 : 0);
  const addOptional = (view: View | undefined): void => {
    addFlag(view !== undefined);
    if (view !== undefined) descriptor.addView(view);
  };
  const addNorm = ({ epsilon, rectifier }: ChannelNorm): void => {
    descriptor.add(epsilon);
    descriptor.add(rectifier === undefined ? 0 : isReLU(rectifier) ? 1 : 2);
    descriptor.add(rectifier?.leak ?? 0);
    descriptor.add(rectifier?.sub ?? 0);
  };
  return {
    imageFormat: "channelsLast",

    convolution(x, weight, bias, out, windows, groups) {
      start(2, 4);
      addFlag(bias !== undefined);
      descriptor.addViews(bias === undefined ? [x, weight, out] : [x, weight, bias, out]);
      descriptor.add(groups);
      addWindows(windows);
      addon.convolution(x, weight, bias, out);
    },

    convolutionData(gradient, weight, out, windows, groups) {
      start(1, 3);
      descriptor.addViews([gradient, weight, out]);
      descriptor.add(groups);
      addWindows(windows);
      addon.convolutionData(gradient, weight, out);
    },

    convolutionWeight(x, gradient, out, bias, windows, groups) {
      start(2, 4);
      addFlag(bias !== undefined);
      descriptor.addViews(bias === undefined ? [x, gradient, out] : [x, gradient, out, bias]);
      descriptor.add(groups);
      addWindows(windows);
      addon.convolutionWeight(x, gradient, out, bias);
    },

    maxPool(x, kernel, windows, out, indices) {
      start(0, 3);
      descriptor.addViews([x, out, indices]);
      descriptor.addSizes(kernel);
      addWindows(windows);
      addon.maxPool(x, out, indices);
    },

    maxPoolBackward(gradient, indices, kernel, windows, out) {
      start(0, 3);
      descriptor.addViews([gradient, indices, out]);
      descriptor.addSizes(kernel);
      addWindows(windows);
      addon.maxPoolBackward(gradient, indices, out);
    },

    averagePool(x, kernel, windows, scales, out) {
      start(countOf(scales), 2);
      descriptor.addViews([x, out]);
      descriptor.addSizes(kernel);
      addWindows(windows);
      for (const values of scales) descriptor.addNumbers(values);
      addon.averagePool(x, out);
    },

    averagePoolBackward(gradient, kernel, windows, scales, out) {
      start(countOf(scales), 2);
      descriptor.addViews([gradient, out]);
      descriptor.addSizes(kernel);
      addWindows(windows);
      for (const values of scales) descriptor.addNumbers(values);
      addon.averagePoolBackward(gradient, out);
    },

    columnMoments(x, mean, variance) {
      start(0, 3);
      descriptor.addViews([x, mean, variance]);
      addon.columnMoments(x, mean, variance);
    },

    normalizeColumns(x, mean, variance, weight, bias, norm, out) {
      start(4, 6);
      addNorm(norm);
      descriptor.addViews([x, mean, variance]);
      addOptional(weight);
      addOptional(bias);
      descriptor.addView(out);
      addon.normalizeColumns(x, mean, variance, weight, bias, out);
    },

    normalizeColumnsBackward(gradient, x, mean, variance, weight, bias, norm, out, weightOut, biasOut) {
      start(4, 9);
      addNorm(norm);
      descriptor.addViews([gradient, x, mean, variance]);
      addOptional(weight);
      addOptional(bias);
      addOptional(out);
      addOptional(weightOut);
      addOptional(biasOut);
      addon.normalizeColumnsBackward(gradient, x, mean, variance, weight, bias, out, weightOut, biasOut);
    },

    groupNorm(x, weight, bias, groups, epsilon, out, mean, variance) {
      start(2, 6);
      descriptor.add(epsilon);
      descriptor.add(groups);
      descriptor.addView(x);
      addOptional(weight);
      addOptional(bias);
      descriptor.addViews([out, mean, variance]);
      addon.groupNorm(x, weight, bias, out, mean, variance);
    },

    groupNormBackward(gradient, x, mean, variance, weight, groups, epsilon, out, weightOut, biasOut) {
      start(2, 8);
      descriptor.add(epsilon);
      descriptor.add(groups);
      descriptor.addViews([gradient, x, mean, variance]);
      addOptional(weight);
      addOptional(out);
      addOptional(weightOut);
      addOptional(biasOut);
      addon.groupNormBackward(gradient, x, mean, variance, weight, out, weightOut, biasOut);
    },

    layerNorm(x, weight, bias, epsilon, out, mean, variance) {
      start(1, 6);
      descriptor.add(epsilon);
      descriptor.addView(x);
      addOptional(weight);
      addOptional(bias);
      descriptor.addViews([out, mean, variance]);
      addon.layerNorm(x, weight, bias, out, mean, variance);
    },

    layerNormBackward(gradient, x, mean, variance, weight, epsilon, out, weightOut, biasOut) {
      start(1, 8);
      descriptor.add(epsilon);
      descriptor.addViews([gradient, x, mean, variance]);
      addOptional(weight);
      addOptional(out);
      addOptional(weightOut);
      addOptional(biasOut);
      addon.layerNormBackward(gradient, x, mean, variance, weight, out, weightOut, biasOut);
    },
  };
}

function countOf(scales: readonly (readonly number[])[]): number {
  return scales.reduce((sum, values) => sum + values.length, 0);
}
