# plmc_library(NAME source... [DEPENDS target...] [LINK lib...])
#
# One static library per room. All of them share one precompiled header: MLIR's
# headers cost 10 s a file without it and under 1 s with it.
# Only the shared libMLIR and libLLVM are linked: their archives would drag in
# second copies of what the shared libraries already hold.
function(plmc_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  target_precompile_headers(${name} REUSE_FROM PLMCPch)
  add_dependencies(${name} PLMCDialectHeaders ${ARG_DEPENDS})
endfunction()
