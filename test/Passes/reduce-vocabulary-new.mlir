// RUN: rm -rf %t && printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n##a\n##b\nab\n##xyz\nabba\n' > %t.vocab.txt && printf 'aba aba\nabb abb abb\n' > %t.txt
// RUN: plmc-opt %s --plm-reduce-vocabulary="method=new size=11 output-tokenizer=%t tokenizer=%t.vocab.txt corpus=%t.txt" --plmc-counters 2>%t.count | FileCheck %s
// RUN: FileCheck --check-prefix=VOCAB %s < %t/vocab.txt
// RUN: FileCheck --check-prefix=IDS %s < %t/ids.tsv
// RUN: FileCheck --check-prefix=COUNT %s < %t.count
// RUN: plmc-opt %s --plm-reduce-vocabulary="method=new size=11 weighting=frequency output-tokenizer=%t tokenizer=%t.vocab.txt corpus=%t.txt" | FileCheck --check-prefix=FREQUENCY %s
// RUN: plmc-opt %s --plm-reduce-vocabulary="method=new size=11 weighting=uniform output-tokenizer=%t tokenizer=%t.vocab.txt corpus=%t.txt" | FileCheck --check-prefix=UNIFORM %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=new size=12 tokenizer=%t.vocab.txt corpus=%t.txt" 2>&1 | FileCheck --check-prefix=SIZE %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=new tokenizer=%t.vocab.txt corpus=%t.txt" 2>&1 | FileCheck --check-prefix=NOSIZE %s
// RUN: not plmc-opt %s --plm-reduce-vocabulary="method=new size=11 weighting=half tokenizer=%t.vocab.txt corpus=%t.txt" 2>&1 | FileCheck --check-prefix=WEIGHT %s

// ##xyz cannot be spelled and stays. New are ab (5), which has its row, and abb (3),
// which is ab ##b: (8 * 2 + 4 * 1) / 3 = 6.667 by length, (8 * 6 + 4 * 4) / 10 = 6.4
// by counts, of which each is one more, 6 by itself.

// CHECK: plm.vocabulary = {hash = "{{[0-9a-f]+}}", ids = 11 : i64, renumbered}
// CHECK: plm.parameter @words{{.*}} : tensor<11x1xf32>
// The last four: ##b (4), ##xyz (9), ab (8), abb.
// CHECK: words{{.*}}: "0x04000000{{.*}}0000804000001041000000415555D540"
// FREQUENCY: words{{.*}}: "0x04000000{{.*}}CDCCCC40"
// UNIFORM: words{{.*}}: "0x04000000{{.*}}0000C040"

// VOCAB: ##b
// VOCAB-NEXT: ##xyz
// VOCAB-NEXT: {{^}}ab
// VOCAB-NEXT: {{^}}abb
// IDS: {{^}}7	7
// IDS-NEXT: {{^}}8	9
// IDS-NEXT: {{^}}9	8
// IDS-NEXT: {{^}}10	-1
// COUNT-DAG: rows copied: 10
// COUNT-DAG: rows that are means
// SIZE: error: size=12: method=new needs 9 (special pieces and characters) to 11
// NOSIZE: error: method=new needs the model's tokenizer and a size
// WEIGHT: error: weighting=half: known are length, frequency, uniform

plm.parameter @words = dense<[[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [4.0], [8.0], [9.0], [10.0]]> : tensor<11x1xf32>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">> {plm.name = "input_ids"}) -> tensor<?x?x1xf32, #plm.dims<"b", "s", "1">> {
  %w = plm.get_parameter @words : tensor<11x1xf32>
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<11x1xf32>) -> tensor<?x?x1xf32, #plm.dims<"b", "s", "1">>
  return %e : tensor<?x?x1xf32, #plm.dims<"b", "s", "1">>
}
