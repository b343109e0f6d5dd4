//===- plmc.cpp - The compiler's command line -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CLI11 parses plmc's own options; those that begin with --mlir- are MLIR's
// and go to its parser (write their values with '=').
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "plmc/Driver/Version.h"
#include "plmc/InitAll.h"
#include "plmc/Support/Text.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

using namespace plmc;
using llvm::StringRef;

namespace {

struct Arguments {
  std::vector<std::string> own, mlir;
};

bool isMLIROption(StringRef argument) {
  return argument.starts_with("--mlir-") || argument.starts_with("-mlir-");
}

Arguments splitArguments(int argc, char **argv) {
  Arguments result;
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    if (isMLIROption(argument))
      result.mlir.push_back(argument.str());
    else if (argument == "--verify") // a value is optional, and only after '='
      result.own.push_back("--verify=0");
    else if (argument == "--print-recipe")
      result.own.push_back("--print-recipe=-");
    else if (argument == "--report-latency")
      result.own.push_back("--report-latency=1x8,1x128,8x128");
    else
      result.own.push_back(argument.str());
  }
  return result;
}

llvm::Error parseMLIROptions(std::vector<std::string> arguments,
                             bool elideWeights) {
  registerAllPasses(); // --mlir-print-ir-after= takes their names
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  // Weights are left out of printed IR unless the user says what to keep.
  auto given = [&](StringRef name) {
    return llvm::any_of(arguments, [&](StringRef argument) {
      return argument.ltrim('-').starts_with(name);
    });
  };
  for (StringRef name : {"mlir-elide-elementsattrs-if-larger",
                         "mlir-elide-resource-strings-if-larger"})
    if (elideWeights && !given(name))
      arguments.push_back(("--" + name + "=64").str());
  std::vector<const char *> argv = {"plmc"};
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string messages;
  llvm::raw_string_ostream os(messages);
  if (llvm::cl::ParseCommandLineOptions(argv.size(), argv.data(), "", &os))
    return llvm::Error::success();
  // "plmc: Unknown command line argument 'x'.  Try: 'plmc --help'", then
  // perhaps "plmc: Did you mean 'y'?".
  auto [first, second] = StringRef(messages).trim().split('\n');
  first.consume_front("plmc: ");
  second.consume_front("plmc: ");
  if (first.empty()) // LLVM has told stderr about the value of an option
    return makeError(ExitCode::Usage, "malformed --mlir-* option");
  return makeError(ExitCode::Usage, first.split("  Try: ").first + " " +
                                        second.split('\n').first);
}

std::vector<std::string> optionNames(const CLI::App &command) {
  std::vector<std::string> names;
  for (const CLI::Option *option : command.get_options()) {
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
    for (const std::string &name : option->get_snames())
      names.push_back("-" + name);
  }
  return names;
}

/// The first argument that the command does not know, if any.
llvm::Error checkRemaining(const CLI::App &command) {
  for (const std::string &argument : command.remaining()) {
    std::string where = "plmc " + command.get_name();
    if (StringRef(argument).starts_with("-")) {
      std::string name = StringRef(argument).split('=').first.str();
      return makeError(ExitCode::Usage,
                       "unknown option '" + name + "' of " + where +
                           nearestName(name, optionNames(command)) + " (" +
                           where + " --help lists them)");
    }
    return makeError(ExitCode::Usage,
                     "unexpected argument '" + argument + "' of " + where);
  }
  return llvm::Error::success();
}

struct Tool {
  CLI::App app{"plmc: turns ONNX encoders of the BERT family into native "
               "libraries",
               "plmc"};
  std::vector<std::pair<std::string, tool::Command>> commands;

  Tool();
  llvm::Error checkCommandName(const std::vector<std::string> &arguments);
  llvm::Error run(std::vector<std::string> arguments);
};

Tool::Tool() {
  commands = {{"compress", tool::addCompress(app)},
              {"inspect", tool::addInspect(app)},
              {"run", tool::addRun(app)},
              {"verify", tool::addVerify(app)},
              {"bench", tool::addBench(app)},
              {"profile", tool::addProfile(app)},
              {"peak", tool::addPeak(app)},
              {"tokenize", tool::addTokenize(app)},
              {"steps", tool::addSteps(app)}};
  app.set_version_flag("--version", "plmc " + versionText().str());
  app.require_subcommand(1);
  app.footer(
      "MLIR's options work too, e.g. --mlir-timing and "
      "--mlir-print-ir-after-all.\nExit codes: 0 ok, 1 internal, 2 usage, "
      "3 bad input file, 4 unsupported, 5 verification failed,\n6 a condition "
      "of --fail-if holds.");
  for (CLI::App *command : app.get_subcommands({}))
    command->allow_extras(); // checkRemaining has better words
}

llvm::Error Tool::checkCommandName(const std::vector<std::string> &arguments) {
  std::vector<std::string> names;
  for (auto &[name, command] : commands)
    names.push_back(name);
  if (arguments.empty())
    return makeError(
        ExitCode::Usage,
        "no command given: compress, inspect, steps, run, verify, bench, "
        "profile, peak or tokenize (plmc --help explains them)");
  const std::string &first = arguments.front();
  bool known = llvm::is_contained(names, first) || first == "--help" ||
               first == "-h" || first == "--version";
  if (known)
    return llvm::Error::success();
  return makeError(ExitCode::Usage,
                   "unknown " +
                       std::string(StringRef(first).starts_with("-")
                                       ? "option"
                                       : "command") +
                       " '" + first + "'" + nearestName(first, names) +
                       " (plmc --help lists the commands)");
}

llvm::Error Tool::run(std::vector<std::string> arguments) {
  if (llvm::Error error = checkCommandName(arguments))
    return error;
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp &) {
    llvm::outs() << app.help(); // of the subcommand, if one was given
    return llvm::Error::success();
  } catch (const CLI::CallForVersion &) {
    llvm::outs() << "plmc " << versionText() << "\n";
    return llvm::Error::success();
  } catch (const CLI::ParseError &error) {
    for (CLI::App *command : app.get_subcommands())
      if (llvm::Error unknown = checkRemaining(*command))
        return unknown;
    return makeError(ExitCode::Usage, error.what());
  }
  CLI::App *command = app.get_subcommands().front();
  if (llvm::Error error = checkRemaining(*command))
    return error;
  for (auto &[name, run] : commands)
    if (name == command->get_name())
      return run();
  return llvm::Error::success();
}

/// LLVM's handlers remove unfinished files when a signal ends the process. They
/// are installed for signals that the parent ignores, too (nohup, a shell's
/// background job): those stay ignored. A file that grows beyond the limit
/// (ulimit -f) is an error like a full disk, not the end.
void prepareSignals() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); // none may come in between
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  std::vector<int> ignored = {SIGXFSZ};
  for (int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR2}) {
    struct sigaction action;
    if (!sigaction(signal, nullptr, &action) && action.sa_handler == SIG_IGN)
      ignored.push_back(signal);
  }
  llvm::sys::RemoveFileOnSignal(""); // installs them, once and for all
  llvm::sys::DontRemoveFileOnSignal("");
  for (int signal : ignored)
    sigaction(signal, &ignore, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace

int main(int argc, char **argv) {
  ExitCode code = ExitCode::Internal;
  prepareSignals();
  try {
    Arguments arguments = splitArguments(argc, argv);
    bool elideWeights =
        !llvm::is_contained(arguments.own, "--elide-weights=false");
    llvm::Error error =
        parseMLIROptions(std::move(arguments.mlir), elideWeights);
    if (!error)
      error = Tool().run(std::move(arguments.own));
    code = reportError(std::move(error));
  } catch (const std::bad_alloc &) {
    printErrorLine("out of memory");
  } catch (const std::exception &exception) {
    printErrorLine(exception.what());
  }
  llvm::outs().flush();
  if (llvm::outs().has_error()) { // a full disk, a closed pipe
    std::string reason = llvm::outs().error().message();
    llvm::outs().clear_error();
    if (code == ExitCode::Ok) {
      printErrorLine("cannot write to standard output: " + reason);
      code = ExitCode::Internal;
    }
  }
  return int(code);
}
