// RUN: rm -rf %t && plmc-opt %s --plm-reduce-vocabulary="method=trim size=9 output-tokenizer=%t tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" | FileCheck %s
// RUN: FileCheck --check-prefix=IDS %s < %t/ids.tsv
// RUN: FileCheck --check-prefix=VOCAB %s < %t/vocab.txt
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=trim size=7 tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" 2>&1 | FileCheck --check-prefix=SMALL %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=trim size=11 tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" 2>&1 | FileCheck --check-prefix=LARGE %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=trim size=9 tokenizer=%S/Inputs/vocab.txt" 2>&1 | FileCheck --check-prefix=NOTHING %s
// RUN: echo > %t.empty
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=trim size=9 tokenizer=%S/Inputs/vocab.txt corpus=%t.empty" 2>&1 | FileCheck --check-prefix=EMPTY %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=trim size=9 tokenizer=%S/../fixtures/tokenizers/vocab.txt corpus=%S/Inputs/corpus.txt" 2>&1 | FileCheck --check-prefix=OTHER %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=alias size=9 tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" 2>&1 | FileCheck --check-prefix=TIED %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=half" 2>&1 | FileCheck --check-prefix=METHOD %s

// Special pieces and all single characters stay, and the most used: ##ab (9) goes.
// The table, the decoder that is the table and its bias follow, and the output.

// CHECK: plm.vocabulary = {hash = "{{[0-9a-f]+}}", ids = 9 : i64, renumbered}
// CHECK-NOT: tensor<10
// CHECK: @forward(%arg0: {{.*}} -> tensor<?x?x9xf32, #plm.dims<"b", "s", "9">>
// CHECK: %[[TABLE:.*]] = plm.get_parameter @[[WORDS:words.*]] : tensor<9x2xf32>
// CHECK: plm.embedding %arg0, %[[TABLE]]
// CHECK: plm.get_parameter @[[WORDS]] : tensor<9x2xf32>
// CHECK: plm.get_parameter @bias{{.*}} : tensor<9xf32>
// CHECK: plm.linear {{.*}} transposed {{.*}} -> tensor<?x?x9xf32
// CHECK-NOT: tensor<10

// IDS: {{^}}0	0
// IDS: {{^}}8	8
// IDS-NEXT: {{^}}9	-1
// VOCAB: ##b
// VOCAB-NEXT: {{^}}ab
// VOCAB-NOT: ##ab

// SMALL: error: size=7 is too small: at least 8 pieces must stay
// LARGE: error: size=11: the vocabulary has 10 pieces
// NOTHING: error: which pieces stay is told by what texts use: give corpus
// EMPTY: error: corpus: there is no text in it
// OTHER: error: the tokenizer has 500 pieces, the table of word embeddings 10 rows
// TIED: error: {{.*}}plm.linear reads the table of word embeddings as well
// METHOD: error: method=half: known are alias, trim, new

plm.parameter @words = dense<[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0],
  [4.0, 0.0], [5.0, 0.0], [6.0, 0.0], [7.0, 0.0], [8.0, 0.0], [9.0, 0.0]]> : tensor<10x2xf32>
plm.parameter @bias = dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]> : tensor<10xf32>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">> {plm.name = "input_ids"}) -> tensor<?x?x10xf32, #plm.dims<"b", "s", "10">> {
  %w = plm.get_parameter @words : tensor<10x2xf32>
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<10x2xf32>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  %d = plm.get_parameter @words : tensor<10x2xf32>
  %b = plm.get_parameter @bias : tensor<10xf32>
  %o = plm.linear %e, %d bias %b transposed : (tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>, tensor<10x2xf32>, tensor<10xf32>) -> tensor<?x?x10xf32, #plm.dims<"b", "s", "10">>
  return %o : tensor<?x?x10xf32, #plm.dims<"b", "s", "10">>
}
