// RUN: plmc-opt %s --plm-reduce-vocabulary="size=7 distance=euclidean tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" --plmc-counters 2>%t | FileCheck %s
// RUN: FileCheck --check-prefix=COUNT %s < %t
// RUN: plmc-opt %s --plm-reduce-vocabulary="size=7 tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" | FileCheck --check-prefix=COSINE %s
// RUN: plmc-opt %s --plm-reduce-vocabulary="size=7 tokenizer=%S/Inputs/vocab.txt corpus=%S/Inputs/corpus.txt" --plm-set-precision="precision=int8 min-elements=1" | FileCheck --check-prefix=INT8 %s

// Used: ab (3), ##ab (1), a, b. The four special pieces stay; a, ab and b or ##ab
// fill up: of equals the lower id. ##a (6), ##b (7) and ##ab (9) lose their rows.

// CHECK: module attributes {plm.vocabulary = {hash = "{{[0-9a-f]+}}", ids = 10 : i64}}
// CHECK-DAG: plm.parameter @words{{.*}} : tensor<7x2xf32>
// CHECK-DAG: plm.parameter @words.map{{.*}} : tensor<10xi32>
// CHECK-LABEL: func.func @forward
// CHECK: %[[ROWS:.*]] = plm.get_parameter @[[SMALL:.*]] : tensor<7x2xf32>
// CHECK: %[[MAP:.*]] = plm.get_parameter @words.map : tensor<10xi32>
// CHECK: %[[TABLE:.*]] = plm.gather %[[ROWS]], %[[MAP]] axis 0
// CHECK: plm.embedding %arg0, %[[TABLE]]
// The map, little endian, behind its alignment: 0 1 2 3 4 5 | 4 6 | 6 5 as rows
// CHECK: words.map: "0x0400000000000000010000000200000003000000040000000500000004000000060000000600000005000000"

// COUNT-DAG: rows kept: 7
// COUNT-DAG: rows dropped: 3
// COUNT-DAG: ppm of the counted tokens that keep their row: 833333

// By direction ##b (0, 9) is nearest to b (0, 3), not to ab (5, 9).
// COSINE: words.map: "0x0400000000000000010000000200000003000000040000000500000004000000050000000600000005000000"

// INT8: plm.dequantize {{.*}}tensor<7x2xi8>
// INT8: plm.gather
// INT8: plm.embedding

plm.parameter @words = dense<[[-9.0, -9.0], [-9.0, -8.0], [-9.0, -7.0], [-9.0, -6.0],
  [4.0, 0.0], [0.0, 3.0], [3.0, 0.5], [0.0, 9.0], [5.0, 9.0], [0.5, 3.0]]> : tensor<10x2xf32>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">> {plm.name = "input_ids"}) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">> {
  %w = plm.get_parameter @words : tensor<10x2xf32>
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<10x2xf32>) -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  return %e : tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
}
