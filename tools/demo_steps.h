// The steps of attune-demo, in the order they are shown. Each prints what it found; false: it found
// something wrong.
#pragma once

#include <string>

#include "problem/problem.h"
#include "space/config.h"
#include "tools/findings.h"

namespace attune {

// What this machine has, looked for once.
struct DemoMachine {
  DriverFindings driver;
  NvrtcSearch nvrtc;
  HostCompilerFindings host;

  bool has_gpu() const { return !driver.devices.empty() && nvrtc.library != nullptr; }
  bool has_emulator() const { return host.problem.empty(); }
};

// Small enough for the emulator: a length no tile divides, grouped heads, a causal mask.
Problem small_problem();
// The one that is tuned: B=2, Nq=Nk=4096, 32 query and 8 key heads, D=128, causal, bf16.
Problem large_problem();

// As text, without the tunables that are off: what is 0 says nothing on a narrow screen.
std::string demo_config(const Config& config);
void demo_heading(int number, const std::string& question);
// One line, cut to the width of the screen.
void demo_line(const std::string& text);
// The text's first line, wrapped at spaces into at most `lines` lines; the later ones are indented further.
void demo_wrapped(const std::string& text, int lines);

bool demo_found(const DemoMachine& machine);     // 1: what is here
bool demo_right(const DemoMachine& machine);     // 2: is it right
bool demo_fits(const DemoMachine& machine);      // 3: does it fit
bool demo_compiles(const DemoMachine& machine);  // 4: does it compile
bool demo_cached(const DemoMachine& machine);    // 5: what is cached
bool demo_tunes(const DemoMachine& machine);     // 6: how fast is it
// Part of 6 where there is no GPU: what was recorded on one.
bool demo_recorded(const DemoMachine& machine);

}  // namespace attune
