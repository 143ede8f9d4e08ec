// Owns: the runner: seeds in, figures out. A run that breaks a rule is repeated with its story told.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/planted.hpp"
#include "simulation/plantings.hpp"
#include "simulation/world.hpp"

namespace tiercel::sim {
namespace {

// What the engine is known to break, with a word on what will mend it. Nothing, at present.
const std::set<Rule> kBrokenToday{};

constexpr const char* kUsage =
    "simulation_tests [--seeds N] [--from S] [--endless] [--expect none|RULE,RULE...] [--versions] [--staleness 50ms] [--rung NAME]\n"
    "                 [--stories LINES] [--wire] [--plant all|NAME] [--page FILE]\n"
    "  runs N seeds from S on (default: 100 from 1). Rules that are expected to break are counted and do not fail a run\n"
    "  (default: what this engine is known to break; none: all must hold).\n"
    "  --endless goes on until one fails; --versions adds a key whose loads and stores name versions;\n"
    "  --staleness: that of every engine, in ms or s, instead of what each seed chooses;\n"
    "  --rung: how much the server gives: optin, broadcast, off, resp2 or no_scripts (default: as the seed says);\n"
    "  --stories: how many lines are told of a run that failed; --wire: with the bytes;\n"
    "  --plant switches a planted bug on (a build with TIERCEL_PLANTED_BUGS), or each of them in turn (all): it must be caught\n"
    "  by a rule of its own; --page: a text that must have the same table.\n";

struct Options {
  std::uint64_t seeds = 100, from = 1;
  bool endless = false;
  std::size_t lines = 40;
  std::string plant, page;
  RunOptions run{.expected = kBrokenToday, .focus = {}};
};

struct Sums {
  std::size_t runs = 0, calm = 0, operations = 0, loads = 0, faults = 0, failed = 0;
  std::array<std::uint64_t, kRules> counts{}, first{};
  Histogram staleness;  // of each value served

  void add(const Report& report) {
    ++runs;
    calm += report.calm ? 1 : 0;
    operations += report.operations;
    loads += report.loads;
    faults += report.faults;
    failed += report.failure ? 1 : 0;
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      if (report.counts[rule] > 0 && counts[rule] == 0) first[rule] = report.seed;
      counts[rule] += report.counts[rule];
    }
  }
  void print() const {
    std::printf(
        "%zu runs (%zu calm), %zu operations, %zu loads, %zu faults; most stale value served: %.3f s; %zu runs failed\n",
        runs, calm, operations, loads, faults, staleness.max_us() / 1e6, failed);
    std::printf("  staleness of %llu values served: p99 %.3f s, p99.99 %.3f s, max %.3f s\n",
                static_cast<unsigned long long>(staleness.count()), staleness.quantile_us(0.99) / 1e6,
                staleness.quantile_us(0.9999) / 1e6, staleness.max_us() / 1e6);
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      if (counts[rule] == 0) continue;
      std::printf("  %s: %llu, first by seed %llu\n", std::string(name_of(static_cast<Rule>(rule))).c_str(),
                  static_cast<unsigned long long>(counts[rule]), static_cast<unsigned long long>(first[rule]));
    }
    std::fflush(stdout);
  }
};

void tell(const Report& failed, const Options& options, RunOptions traced) {
  traced.traced = true;
  traced.lines = options.lines;
  const Report again = run(failed.seed, traced);
  std::printf("FAILED seed %llu: %s: %s\n  %s\n%s", static_cast<unsigned long long>(failed.seed),
              std::string(name_of(failed.failure->rule)).c_str(), failed.failure->text.c_str(), failed.plan.c_str(),
              again.story.c_str());
  if (!again.failure || again.failure->text != failed.failure->text)
    std::printf("  repeated, it did NOT fail in the same way: something does not come from the seed\n");
  std::fflush(stdout);
}

bool repeats_itself(const Report& report, const Options& options) {
  if (run(report.seed, options.run).digest == report.digest) return true;
  std::printf("FAILED seed %llu: repeated, it ran otherwise\n", static_cast<unsigned long long>(report.seed));
  return false;
}

int run_all(const Options& options) {
  constexpr std::uint64_t kRepeatEvery = 50, kSumEvery = 500;
  Sums sums;
  bool repeats = true;
  for (std::uint64_t seed = options.from; options.endless || seed < options.from + options.seeds; ++seed) {
    RunOptions counted = options.run;
    counted.served = &sums.staleness;
    const Report report = run(seed, counted);
    sums.add(report);
    if (report.failure && sums.failed <= 3) tell(report, options, options.run);
    if (seed % kRepeatEvery == 0) repeats = repeats_itself(report, options) && repeats;
    if (options.endless && report.failure) break;
    if (options.endless && sums.runs % kSumEvery == 0) sums.print();
  }
  std::printf("seeds from %llu: ", static_cast<unsigned long long>(options.from));
  sums.print();
  return sums.failed == 0 && repeats ? EXIT_SUCCESS : EXIT_FAILURE;
}

// ---- planted bugs

std::set<Rule> all_but(const std::set<Rule>& rules) {
  std::set<Rule> others;
  for (int rule = 0; rule < kRules; ++rule) {
    if (!rules.contains(static_cast<Rule>(rule))) others.insert(static_cast<Rule>(rule));
  }
  return others;
}

// The first seed that fails; a planted bug's must break one of its own rules.
std::optional<Report> first_failure(const Options& options, RunOptions how) {
  for (std::uint64_t seed = options.from; seed < options.from + options.seeds; ++seed) {
    Report report = run(seed, how);
    if (report.failure) return report;
  }
  return std::nullopt;
}

// Without a bug the same seeds must be clean, whatever the runs are about: what is caught then is the bug.
bool clean(const Options& options) {
  std::vector<Focus> done;
  bool none_fails = true;
  planted::plant(planted::Bug::none);
  for (const Planting& planting : plantings()) {
    if (std::find(done.begin(), done.end(), planting.focus) != done.end()) continue;
    done.push_back(planting.focus);
    RunOptions how = options.run;
    how.focus = planting.focus;
    const auto failed = first_failure(options, how);
    if (!failed) continue;
    none_fails = false;
    std::printf("without any bug, in the runs for %s:\n", std::string(planting.name()).c_str());
    tell(*failed, options, how);
  }
  return none_fails;
}

bool catches(const Planting& planting, const Options& options) {
  planted::plant(planting.bug);
  RunOptions how = options.run;
  how.expected = all_but(planting.seen_by);
  how.focus = planting.focus;
  const auto caught = first_failure(options, how);
  if (caught)
    std::printf("%s %s, seed %llu |\n", row_of(planting).c_str(), std::string(name_of(caught->failure->rule)).c_str(),
                static_cast<unsigned long long>(caught->seed));
  else std::printf("%s MISSED |\n", row_of(planting).c_str());
  std::fflush(stdout);
  return caught.has_value();
}

// Whether the page that explains the proof has the row of each bug, and no other.
bool told_in(const std::string& page) {
  std::ifstream file(page);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  bool all = true;
  for (const Planting& planting : plantings()) {
    if (text.find("\n" + row_of(planting) + "\n") != std::string::npos) continue;
    all = false;
    std::printf("%s lacks this row: %s\n", page.c_str(), row_of(planting).c_str());
  }
  std::size_t rows = 0;
  for (const std::string_view name : planted::kNames)
    rows += text.find("| " + std::string(name) + " |") != std::string::npos;
  if (rows != plantings().size()) std::printf("%s has a row for something that is not planted\n", page.c_str());
  return all && rows == plantings().size();
}

int run_planted(const Options& options) {
  if (!planted::kCompiledIn) {
    std::fputs("this build has no planted bugs: configure with -DTIERCEL_PLANTED_BUGS=ON\n", stderr);
    return EXIT_FAILURE;
  }
  const bool all = options.plant == "all";
  if (all && !clean(options)) return EXIT_FAILURE;
  std::printf("| planted bug | what it breaks | rules that see it | caught by |\n|---|---|---|---|\n");
  std::size_t missed = 0;
  for (const Planting& planting : plantings()) {
    if (all || options.plant == planting.name()) missed += catches(planting, options) ? 0 : 1;
  }
  const bool told = options.page.empty() || told_in(options.page);
  return missed == 0 && told ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool take_plant(std::string_view name, std::string& plant) {
  plant = name;
  return name == "all" || planted::named(name);
}

// ---- arguments

bool take_rules(std::string_view list, std::set<Rule>& rules) {
  rules.clear();
  if (list == "none") return true;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    int rule = 0;
    while (rule < kRules && name_of(static_cast<Rule>(rule)) != name) ++rule;
    if (rule == kRules) return false;
    rules.insert(static_cast<Rule>(rule));
  }
  return true;
}

// "50ms", "1s"
bool take_time(std::string_view text, std::optional<Duration>& time) {
  const bool in_ms = text.ends_with("ms");
  long long number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (wrong != std::errc{} || number <= 0 || unit != (in_ms ? "ms" : "s")) return false;
  time = in_ms ? Duration(std::chrono::milliseconds(number)) : Duration(std::chrono::seconds(number));
  return true;
}

bool take_rung(std::string_view name, std::optional<Rung>& taken) {
  for (int rung = 0; rung < kRungs; ++rung) {
    if (name_of(static_cast<Rung>(rung)) == name) taken = static_cast<Rung>(rung);
  }
  return taken.has_value();
}

template <class Number>
bool take_number(std::string_view text, Number& number) {
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  return wrong == std::errc{} && end == text.data() + text.size();
}

bool take_option(std::string_view name, std::string_view value, Options& options) {
  if (name == "--seeds") return take_number(value, options.seeds);
  if (name == "--from") return take_number(value, options.from);
  if (name == "--stories") return take_number(value, options.lines);
  if (name == "--staleness") return take_time(value, options.run.focus.staleness);
  if (name == "--plant") return take_plant(value, options.plant);
  if (name == "--page") return options.page = value, true;
  if (name == "--rung") return take_rung(value, options.run.focus.rung);
  if (name == "--expect") return take_rules(value, options.run.expected);
  return false;
}

std::optional<Options> take_options(int count, char** words) {
  Options options;
  for (int at = 1; at < count; ++at) {
    const std::string_view word = words[at];
    if (word == "--endless") options.endless = true;
    else if (word == "--wire") options.run.wire = true;
    else if (word == "--versions") options.run.focus.versions = true;
    else if (at + 1 == count || !take_option(word, words[++at], options)) return std::nullopt;
  }
  return options;
}

}  // namespace
}  // namespace tiercel::sim

int main(int count, char** words) {
  const auto options = tiercel::sim::take_options(count, words);
  if (options && !options->plant.empty()) return tiercel::sim::run_planted(*options);
  if (options) return tiercel::sim::run_all(*options);
  std::fputs(tiercel::sim::kUsage, stderr);
  return EXIT_FAILURE;
}
