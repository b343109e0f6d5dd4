module {
  plm.parameter @w = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf16>
  func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "ids"},
                     %mask: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "mask"})
      -> (tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">> {plm.name = "y"}) {
    %w = plm.get_parameter @w : tensor<3x2xf16>
    %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<3x2xf16>) -> tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>
    %y = plm.attention %e, %e, %e mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>, tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>, tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>, tensor<?x?xi64, #plm.dims<"batch", "sequence">>) -> tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>
    return %y : tensor<?x?x2xf16, #plm.dims<"batch", "sequence", "2">>
  }
}
