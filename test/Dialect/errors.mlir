// RUN: plmc-opt %s -split-input-file -verify-diagnostics

func.func @no_encoding(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{dynamic dimensions need a #plm.dims encoding}}
  %r = plm.unary neg %x : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

func.func @linear(%x: tensor<2x3xf32>, %w: tensor<4x5xf32>) -> tensor<2x5xf32> {
  // expected-error @+1 {{input has shape [2, 3], but the weight takes 4 features}}
  %r = plm.linear %x, %w : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return %r : tensor<2x5xf32>
}

// -----

func.func @broadcast(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error @+1 {{operands of shapes [2, 3] and [2, 4] do not broadcast}}
  %r = plm.binary add %x, %y : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// -----

func.func @heads(%x: tensor<1x3x8xf32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{query has width 8, not a multiple of 3 heads}}
  %r = plm.attention %x, %x, %x {num_heads = 3 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  return %r : tensor<1x3x8xf32>
}

// -----

func.func @reshape(%x: tensor<?x6xf32, #plm.dims<"n", "6">>) -> tensor<?x5xf32, #plm.dims<"n", "5">> {
  // expected-error @+1 {{do not have equally many elements}}
  %r = plm.reshape %x : (tensor<?x6xf32, #plm.dims<"n", "6">>) -> tensor<?x5xf32, #plm.dims<"n", "5">>
  return %r : tensor<?x5xf32, #plm.dims<"n", "5">>
}

// -----

func.func @slice(%x: tensor<5xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{window leaves dimension 0 of the input [5]}}
  %r = plm.slice %x ["3"] [1] : (tensor<5xf32>) -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

func.func @missing() -> tensor<2xf32> {
  // expected-error @+1 {{there is no plm.parameter @w}}
  %r = plm.get_parameter @w : tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @permutation(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // expected-error @+1 {{permutation is not one of 2 dimensions}}
  %r = plm.transpose %x [1, 1] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

func.func @spelling(%x: tensor<?xf32, #plm.dims<"n*2">>) -> tensor<?xf32, #plm.dims<"n*2">> {
  // expected-error @+1 {{"n*2" is not the dimension's canonical expression}}
  %r = plm.unary neg %x : (tensor<?xf32, #plm.dims<"n*2">>) -> tensor<?xf32, #plm.dims<"n*2">>
  return %r : tensor<?xf32, #plm.dims<"n*2">>
}

// -----

func.func @linear_int8(%x: tensor<2x4xf32>, %w: tensor<4x5xf32>) -> tensor<2x5xf32> {
  // expected-error @+1 {{in int8 takes a weight that is a plm.dequantize}}
  %r = plm.linear %x, %w precision int8 : (tensor<2x4xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return %r : tensor<2x5xf32>
}

// -----

func.func @dequantize_blocks(%x: tensor<64x4xi8>, %s: tensor<3x4xf32>) -> tensor<64x4xf32> {
  // expected-error @+1 {{scale}}
  %r = plm.dequantize %x scale %s {block_size = 32 : i64} : (tensor<64x4xi8>, tensor<3x4xf32>) -> tensor<64x4xf32>
  return %r : tensor<64x4xf32>
}

// -----

func.func @codes(%c: tensor<7x3xui8>, %b: tensor<4x5x2xf32>) -> tensor<7x6xf32> {
  // expected-error @+1 {{codes have shape [7, 3] and codebooks [4, 5, 2], expected [..., M] and [M, C, D]}}
  %r = plm.codebook_lookup %c, %b : (tensor<7x3xui8>, tensor<4x5x2xf32>) -> tensor<7x6xf32>
  return %r : tensor<7x6xf32>
}

// -----

func.func @code_type(%c: tensor<7x3xi8>, %b: tensor<3x5x2xf32>) -> tensor<7x6xf32> {
  // expected-error @+1 {{codes have element type 'i8', expected ui8}}
  %r = plm.codebook_lookup %c, %b : (tensor<7x3xi8>, tensor<3x5x2xf32>) -> tensor<7x6xf32>
  return %r : tensor<7x6xf32>
}

// -----

func.func @code_result(%c: tensor<7x3xui8>, %b: tensor<3x5x2xf32>) -> tensor<7x5xf32> {
  // expected-error @+1 {{result has shape [7, 5], expected [7, 6]}}
  %r = plm.codebook_lookup %c, %b : (tensor<7x3xui8>, tensor<3x5x2xf32>) -> tensor<7x5xf32>
  return %r : tensor<7x5xf32>
}

// -----

func.func @too_many(%c: tensor<7x3xui8>, %b: tensor<3x300x2xf32>) -> tensor<7x6xf32> {
  // expected-error @+1 {{codebooks have shape [3, 300, 2], expected 1 to 256 entries}}
  %r = plm.codebook_lookup %c, %b : (tensor<7x3xui8>, tensor<3x300x2xf32>) -> tensor<7x6xf32>
  return %r : tensor<7x6xf32>
}
