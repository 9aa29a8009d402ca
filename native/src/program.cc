#include "program.h"

#include <algorithm>

#include "ops.h"

namespace kindling {

namespace {

constexpr int kMaxCode = 4096;

Instruction readInstruction(Reader& reader, int position, const Program& program) {
  Instruction step;
  step.kind = static_cast<Instruction::Kind>(reader.count(Instruction::Call));
  switch (step.kind) {
    case Instruction::Input: step.index = reader.count(program.inputCount - 1); break;
    case Instruction::Scalar: step.index = reader.count(program.scalarCount - 1); break;
    case Instruction::Constant: step.value = reader.number(); break;
    case Instruction::Call:
      step.index = reader.count(kOpCount - 1);
      for (int i = 0; i < arityOf(step.index); i++) step.args[i] = reader.count(position - 1);
      for (int i = arityOf(step.index); i < 3; i++) step.args[i] = step.args[0];  // unread, but valid
      break;
  }
  return step;
}

// Finds products that go into one sum or difference and nowhere else.
void findJoins(Program& program) {
  const int size = program.size();
  std::vector<int> uses(size, 0);
  for (const Instruction& step : program.code) {
    if (step.kind != Instruction::Call) continue;
    for (int k = 0; k < arityOf(step.index); k++) uses[step.args[k]]++;
  }
  for (int position : program.results) uses[position]++;
  program.joins.assign(size, -1);
  program.isJoined.assign(size, 0);
  for (int i = 0; i < size; i++) {
    const Instruction& step = program.code[i];
    const bool takes = step.index == static_cast<int>(Op::Add) || step.index == static_cast<int>(Op::Sub);
    if (step.kind != Instruction::Call || !takes) continue;
    for (int argument : {step.args[1], step.args[0]}) {
      const Instruction& product = program.code[argument];
      const bool fits = product.kind == Instruction::Call && product.index == static_cast<int>(Op::Mul);
      if (!fits || uses[argument] != 1) continue;
      program.joins[i] = argument;
      program.isJoined[argument] = 1;
      break;
    }
  }
}

// A register is free again after the last use of its value; the result of that very step may take it, since loops
// allow their destination to be an operand.
void assignRegisters(Program& program) {
  const int size = program.size();
  program.lastUse.assign(size, 0);
  for (int i = 0; i < size; i++) {
    const Instruction& step = program.code[i];
    if (step.kind != Instruction::Call) continue;
    for (int argument : step.args) program.lastUse[argument] = i;
    if (program.joins[i] < 0) continue;
    for (int argument : program.code[program.joins[i]].args) program.lastUse[argument] = i;
  }
  for (int position : program.results) program.lastUse[position] = size;

  program.registers.assign(size, -1);
  std::vector<int> free;
  for (int i = 0; i < size; i++) {
    const Instruction& step = program.code[i];
    if (step.kind != Instruction::Call) continue;
    std::vector<int> read(step.args, step.args + arityOf(step.index));
    if (program.joins[i] >= 0) {
      const int* factors = program.code[program.joins[i]].args;
      read.insert(read.end(), factors, factors + 2);
    }
    for (auto argument = read.begin(); argument != read.end(); argument++) {
      const bool again = std::find(read.begin(), argument, *argument) != argument;
      if (!again && program.registers[*argument] >= 0 && program.lastUse[*argument] == i) {
        free.push_back(program.registers[*argument]);
      }
    }
    if (free.empty()) free.push_back(program.registerCount++);
    program.registers[i] = free.back();
    free.pop_back();
    program.callCount++;
  }
}

}  // namespace

Program readProgram(Reader& reader) {
  Program program;
  program.inputCount = reader.count(kMaxViews);
  program.scalarCount = reader.count(kMaxCode);
  const int outputs = reader.count(kMaxViews);
  const int size = reader.count(kMaxCode);
  for (int i = 0; i < size; i++) {
    program.code.push_back(readInstruction(reader, i, program));
    if (program.code[i].kind == Instruction::Input) program.inputAt.push_back(i);
  }
  for (int i = 0; i < outputs; i++) program.results.push_back(reader.count(size - 1));
  findJoins(program);
  assignRegisters(program);
  return program;
}

}  // namespace kindling
