# cmake -DOUTPUT=Presets.inc -DFILES=a.yaml,b.yaml -P EmbedPresets.cmake
# One line {"name", R"yaml(text)yaml"}, a file.
string(REPLACE "," ";" FILES "${FILES}")
set(text "")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WLE)
  file(READ ${file} yaml)
  string(APPEND text "{\"${name}\", R\"yaml(${yaml})yaml\"},\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
