import os

import lit.formats
from lit.llvm import llvm_config

config.name = "plmc"
config.test_format = lit.formats.ShTest(not llvm_config.use_lit_shell)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "fixtures", "e2e", "Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.plmc_obj_root, "test")

llvm_config.use_default_substitutions()
# not, count, split-file
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.add_tool_substitutions(
    ["plmc-opt", "plmc-lsp-server", "plmc"], [config.plmc_tools_dir, config.llvm_tools_dir]
)
config.substitutions.append(
    ("%fixtures", os.path.join(config.plmc_src_root, "test", "fixtures", "models"))
)
config.substitutions.append(("%python", config.python or "python3"))
