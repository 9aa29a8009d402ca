# Built by `npx node-gyp rebuild -C native`; lies here, not at the root, so that `npm ci` does not compile.
# KINDLING_ARCH: the processor to compile for (default: the one of this machine).
# KINDLING_SANITIZE=1: with address and undefined-behaviour sanitizers.
{
  "variables": {
    "arch%": "<!(node -p \"process.env.KINDLING_ARCH || 'native'\")",
    "sanitize%": "<!(node -p \"process.env.KINDLING_SANITIZE === '1' ? 1 : 0\")",
  },
  "target_defaults": {
    "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math", "-march=<(arch)"],
    "cflags!": ["-O2"],
    "cflags_cc": ["-std=c++17", "-O3", "-fexceptions", "-Wno-unused-parameter"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20", "-O2"],
    "conditions": [
      ["OS=='linux'", {"cflags": ["-fopenmp"]}],
      ["target_arch=='x64' and OS=='linux'", {"cflags": ["-mprefer-vector-width=512"]}],
      ["OS=='mac'", {
        "include_dirs": ["<!@(brew --prefix onednn)/include", "<!@(brew --prefix libomp)/include"],
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
          "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
          "GCC_OPTIMIZATION_LEVEL": "3",
          "MACOSX_DEPLOYMENT_TARGET": "12.0",
          "OTHER_CPLUSPLUSFLAGS": ["-Xpreprocessor", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"],
        },
      }],
      ["sanitize==1", {
        "cflags": ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-g"],
        "cflags_cc!": ["-O3"],
        "cflags_cc": ["-O1"],
        "ldflags": ["-fsanitize=address,undefined"],
      }],
    ],
  },
  "targets": [
    {
      # Bits must not depend on the processor here.
      "target_name": "exact",
      "type": "static_library",
      "sources": ["src/random.cc"],
      "cflags_cc": ["-ffp-contract=off", "-fPIC"],
      "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off"]},
    },
    {
      "target_name": "kindling",
      "dependencies": ["exact"],
      "sources": [
        "src/addon.cc",
        "src/argReduce.cc",
        "src/block.cc",
        "src/compiled.cc",
        "src/conv.cc",
        "src/depthwise.cc",
        "src/evaluation.cc",
        "src/fewChannels.cc",
        "src/gather.cc",
        "src/gemm.cc", "src/product.cc",
        "src/groupNorm.cc",
        "src/layerNorm.cc",
        "src/loss.cc",
        "src/map.cc",
        "src/memory.cc",
        "src/norm.cc",
        "src/ops.cc",
        "src/ownConvolutions.cc",
        "src/pool.cc",
        "src/program.cc",
        "src/reduce.cc",
        "src/smallMaps.cc",
        "src/smallProduct.cc",
        "src/space.cc",
        "src/team.cc",
        "src/tiles.cc",
        "src/watch.cc",
        "src/winograd.cc",
      ],
      "cflags_cc": ["-ffp-contract=fast"],
      "conditions": [
        ["OS=='linux'", {"libraries": ["-ldnnl", "-lgomp"], "ldflags": ["-pthread", "-Wl,-z,nodelete"]}],
        ["OS=='mac'", {
          "libraries": ["-L<!(brew --prefix onednn)/lib", "-ldnnl", "-L<!(brew --prefix libomp)/lib", "-lomp"],
        }],
      ],
    },
  ],
}
