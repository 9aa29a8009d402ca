// A kernel's expressions as straight-line code whose values live in block registers.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "compiled.h"
#include "view.h"

namespace kindling {

struct Instruction {
  enum Kind { Input, Scalar, Constant, Call };
  Kind kind;
  int index = 0;              // of the input or scalar; the operation of a call
  int args[3] = {0, 0, 0};    // positions of earlier instructions
  double value = 0;           // of a constant
};

struct Program {
  int inputCount = 0;
  int scalarCount = 0;
  std::vector<Instruction> code;
  std::vector<int> inputAt;    // positions of the input instructions
  std::vector<int> results;    // per output, the position that computes it
  std::vector<int> registers;  // per position, the register of a call
  std::vector<int> lastUse;    // per position; code.size() for results
  std::vector<int> joins;      // per position, the product that is used there alone and may be computed in one; or −1
  std::vector<char> isJoined;  // per position, whether it is such a product
  int registerCount = 0;
  int callCount = 0;

  // Its plans as machine code, by the inputs that are read element by element; made once they have been much used.
  struct Compilation {
    int64_t work = 0;
    bool isTried = false;
    std::unique_ptr<Compiled> code;
  };
  mutable std::map<uint64_t, Compilation> compilations;

  int size() const { return static_cast<int>(code.size()); }
};

// Throws when the code is not well-formed.
Program readProgram(Reader& reader);

}  // namespace kindling
