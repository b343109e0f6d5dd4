module {
  plm.parameter @w = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf16>
  func.func @forward(%x: tensor<?x?x3xf16, #plm.dims<"batch", "sequence", "3">> {plm.name = "x"})
      -> (tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">> {plm.name = "y"}) {
    %w = plm.get_parameter @w : tensor<3x2xf16>
    %y = plm.linear %x, %w : (tensor<?x?x3xf16, #plm.dims<"batch", "sequence", "3">>, tensor<3x2xf16>) -> tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>
    return %y : tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>
  }
}
