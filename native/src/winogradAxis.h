// Winograd's minimal filtering along one axis, for kernels of three taps. Each struct says how many numbers a tile takes in
// (kIn, and kInStep from one tile to the next), how many products it makes of them (kPoints), with how many different
// weights (kWeights), and how many results come out (kOut), and has the transforms
//   y = Aᵀ [(G w) ⊙ (Bᵀ x)]  and, for the gradient for the weights,  Gᵀ [(Bᵀ x) ⊙ (A y)].
// Numbers lie `step` and `to` apart.
#pragma once

#include "lanes.h"

namespace kindling {

// Stride 1: F(4, 3) with the points 0, ±1, ±2, ∞.
struct Dense {
  static constexpr int kIn = 6, kInStep = 4, kPoints = 6, kWeights = 6, kOut = 4;
  static constexpr int weightOf(int point) { return point; }

  // Bᵀ x
  static void input(const Vec* x, int step, Vec* o, int to) {
    const Vec even = x[4 * step] - 4.0f * x[2 * step], odd = x[3 * step] - 4.0f * x[step];
    const Vec near = x[4 * step] - x[2 * step], twice = 2.0f * (x[3 * step] - x[step]);
    o[0] = 4.0f * x[0] - 5.0f * x[2 * step] + x[4 * step];
    o[to] = even + odd;
    o[2 * to] = even - odd;
    o[3 * to] = near + twice;
    o[4 * to] = near - twice;
    o[5 * to] = 4.0f * x[step] - 5.0f * x[3 * step] + x[5 * step];
  }

  // Aᵀ m
  static void output(const Vec* m, int step, Vec* o, int to) {
    const Vec p = m[step] + m[2 * step], q = m[step] - m[2 * step];
    const Vec r = m[3 * step] + m[4 * step], s = m[3 * step] - m[4 * step];
    o[0] = m[0] + p + r;
    o[to] = q + 2.0f * s;
    o[2 * to] = p + 4.0f * r;
    o[3 * to] = q + 8.0f * s + m[5 * step];
  }

  // A y
  static void gradient(const Vec* y, int step, Vec* o, int to) {
    const Vec p = y[0] + y[2 * step], q = y[step] + y[3 * step];
    const Vec r = y[0] + 4.0f * y[2 * step], s = 2.0f * y[step] + 8.0f * y[3 * step];
    o[0] = y[0];
    o[to] = p + q;
    o[2 * to] = p - q;
    o[3 * to] = r + s;
    o[4 * to] = r - s;
    o[5 * to] = y[3 * step];
  }

  // G w
  static void weight(const Vec* w, int step, Vec* o, int to) {
    const Vec outer = (w[0] + w[2 * step]) * (-1.0f / 6), inner = w[step] * (1.0f / 6);
    const Vec far = w[0] * (1.0f / 24) + w[2 * step] * (1.0f / 6), half = w[step] * (1.0f / 12);
    o[0] = w[0] * 0.25f;
    o[to] = outer - inner;
    o[2 * to] = outer + inner;
    o[3 * to] = far + half;
    o[4 * to] = far - half;
    o[5 * to] = w[2 * step];
  }

  // Gᵀ u
  static void weightGradient(const Vec* u, int step, Vec* o, int to) {
    const Vec p = (u[step] + u[2 * step]) * (1.0f / 6), q = (u[2 * step] - u[step]) * (1.0f / 6);
    const Vec r = u[3 * step] + u[4 * step], s = u[3 * step] - u[4 * step];
    o[0] = u[0] * 0.25f - p + r * (1.0f / 24);
    o[to] = q + s * (1.0f / 12);
    o[2 * to] = r * (1.0f / 6) - p + u[5 * step];
  }
};

// Two taps: F(4, 2) with the points 0, ±1, 2, ∞.
struct Pair {
  static void input(const Vec* x, int step, Vec* o, int to) {
    o[0] = 2.0f * (x[0] - x[2 * step]) + x[3 * step] - x[step];
    o[to] = x[3 * step] - x[2 * step] - 2.0f * x[step];
    o[2 * to] = x[3 * step] - 3.0f * x[2 * step] + 2.0f * x[step];
    o[3 * to] = x[3 * step] - x[step];
    o[4 * to] = 2.0f * (x[step] - x[3 * step]) + x[4 * step] - x[2 * step];
  }

  static void output(const Vec* m, int step, Vec* o, int to) {
    const Vec p = m[step] + m[2 * step], q = m[step] - m[2 * step];
    o[0] = m[0] + p + m[3 * step];
    o[to] = q + 2.0f * m[3 * step];
    o[2 * to] = p + 4.0f * m[3 * step];
    o[3 * to] = q + 8.0f * m[3 * step] + m[4 * step];
  }

  static void gradient(const Vec* y, int step, Vec* o, int to) {
    const Vec p = y[0] + y[2 * step], q = y[step] + y[3 * step];
    o[0] = y[0];
    o[to] = p + q;
    o[2 * to] = p - q;
    o[3 * to] = y[0] + 2.0f * y[step] + 4.0f * y[2 * step] + 8.0f * y[3 * step];
    o[4 * to] = y[3 * step];
  }

  static void weight(const Vec& first, const Vec& second, Vec* o, int to) {
    o[0] = first * 0.5f;
    o[to] = (first + second) * -0.5f;
    o[2 * to] = (second - first) * (1.0f / 6);
    o[3 * to] = first * (1.0f / 6) + second * (1.0f / 3);
    o[4 * to] = second;
  }

  static void weightGradient(const Vec* u, int step, Vec& first, Vec& second) {
    first = (u[0] - u[step]) * 0.5f + (u[3 * step] - u[2 * step]) * (1.0f / 6);
    second = (u[2 * step] + 2.0f * u[3 * step]) * (1.0f / 6) - u[step] * 0.5f + u[4 * step];
  }
};

// Stride 2: of nine numbers the first and the last tap see the even ones, as neighbours, and the middle one the odd ones.
struct Strided {
  static constexpr int kIn = 9, kInStep = 8, kPoints = 9, kWeights = 6, kOut = 4;
  static constexpr int weightOf(int point) { return point < 5 ? point : 5; }

  static void input(const Vec* x, int step, Vec* o, int to) {
    Pair::input(x, 2 * step, o, to);
    for (int i = 0; i < kOut; i++) o[(5 + i) * to] = x[(2 * i + 1) * step];
  }

  static void output(const Vec* m, int step, Vec* o, int to) {
    Pair::output(m, step, o, to);
    for (int i = 0; i < kOut; i++) o[i * to] += m[(5 + i) * step];
  }

  static void gradient(const Vec* y, int step, Vec* o, int to) {
    Pair::gradient(y, step, o, to);
    for (int i = 0; i < kOut; i++) o[(5 + i) * to] = y[i * step];
  }

  static void weight(const Vec* w, int step, Vec* o, int to) {
    Pair::weight(w[0], w[2 * step], o, to);
    o[5 * to] = w[step];
  }

  static void weightGradient(const Vec* u, int step, Vec* o, int to) {
    Pair::weightGradient(u, step, o[0], o[2 * to]);
    o[to] = u[5 * step];
  }
};

// The gradient for the input of a convolution of stride 2: of eight results the first and every second one after it see
// the middle tap, those between them the two others. Tiles begin at a number under a middle tap.
struct Spread {
  static constexpr int kIn = 5, kInStep = 4, kPoints = 9, kWeights = 6, kOut = 8;
  static constexpr int weightOf(int point) { return Strided::weightOf(point); }

  static void input(const Vec* x, int step, Vec* o, int to) {
    Pair::input(x, step, o, to);
    for (int i = 0; i < 4; i++) o[(5 + i) * to] = x[i * step];
  }

  static void output(const Vec* m, int step, Vec* o, int to) {
    for (int i = 0; i < 4; i++) o[2 * i * to] = m[(5 + i) * step];
    Pair::output(m, step, o + to, 2 * to);
  }

  static void weight(const Vec* w, int step, Vec* o, int to) { Strided::weight(w, step, o, to); }
};

}  // namespace kindling
