# INPUT (bitcode) becomes OUTPUT, a .cpp that defines getRuntimeBitcode().
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "// Generated from lib/Runtime; do not edit.
#include \"plmc/CodeGen/RuntimeBitcode.h\"

alignas(4) static const unsigned char bitcode[] = {
${bytes}};

llvm::StringRef plmc::getRuntimeBitcode() {
  return llvm::StringRef(reinterpret_cast<const char *>(bitcode),
                         sizeof(bitcode));
}
")
