plm.parameter @up = dense<0.5> : tensor<384x96xf32>
plm.parameter @down = dense<0.25> : tensor<96x384xf32>
plm.parameter @odd = dense<0.25> : tensor<384x100xf32>
plm.parameter @last = dense<0.25> : tensor<100x33xf32>
plm.parameter @bias = dense<0.125> : tensor<384xf32>
func.func @forward(%x: tensor<?x?x384xf32, #plm.dims<"b", "s", "384">> {plm.name = "x"})
    -> (tensor<?x?x33xf32, #plm.dims<"b", "s", "33">> {plm.name = "y"}) {
  %up = plm.get_parameter @up : tensor<384x96xf32>
  %down = plm.get_parameter @down : tensor<96x384xf32>
  %odd = plm.get_parameter @odd : tensor<384x100xf32>
  %last = plm.get_parameter @last : tensor<100x33xf32>
  %bias = plm.get_parameter @bias : tensor<384xf32>
  %0 = plm.linear %x, %up : (tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>, tensor<384x96xf32>) -> tensor<?x?x96xf32, #plm.dims<"b", "s", "96">>
  %1 = plm.activation gelu %0 : (tensor<?x?x96xf32, #plm.dims<"b", "s", "96">>) -> tensor<?x?x96xf32, #plm.dims<"b", "s", "96">>
  %2 = plm.linear %1, %down bias %bias : (tensor<?x?x96xf32, #plm.dims<"b", "s", "96">>, tensor<96x384xf32>, tensor<384xf32>) -> tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>
  %3 = plm.binary add %2, %x : (tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>, tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>) -> tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>
  %4 = plm.linear %3, %odd : (tensor<?x?x384xf32, #plm.dims<"b", "s", "384">>, tensor<384x100xf32>) -> tensor<?x?x100xf32, #plm.dims<"b", "s", "100">>
  %5 = plm.linear %4, %last : (tensor<?x?x100xf32, #plm.dims<"b", "s", "100">>, tensor<100x33xf32>) -> tensor<?x?x33xf32, #plm.dims<"b", "s", "33">>
  return %5 : tensor<?x?x33xf32, #plm.dims<"b", "s", "33">>
}
