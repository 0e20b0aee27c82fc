# One INTERFACE target carries the warnings and the hardening that all of our code is built with.
add_library(tenken-flags INTERFACE)
target_include_directories(tenken-flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(tenken-flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(tenken-flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings
    -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(tenken-flags INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
else()
    # __extension__ of compiler.h's statement expressions is announced, clang says it all the same.
    target_compile_options(tenken-flags INTERFACE
        -Wcomma -Wmissing-variable-declarations -Wno-gnu-statement-expression)
endif()
if(TENKEN_WERROR)
    target_compile_options(tenken-flags INTERFACE -Werror)
endif()
if(TENKEN_ANALYZER)
    target_compile_options(tenken-flags INTERFACE -fanalyzer)
endif()
if(TENKEN_COVERAGE)
    target_compile_options(tenken-flags INTERFACE --coverage)
    target_link_options(tenken-flags INTERFACE --coverage)
endif()
if(TENKEN_SANITIZE)
    target_compile_definitions(tenken-flags INTERFACE TENKEN_SANITIZERS=1)
    target_compile_options(tenken-flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(tenken-flags INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(tenken-flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
    target_link_options(tenken-flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(TENKEN_FUZZ)
    target_compile_options(tenken-flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Each folder of the project is one static library that links only what it may know (design.md 4).
function(tenken_folder target)
    cmake_parse_arguments(ARG "" "" "KNOWS;USES" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PUBLIC tenken-flags ${ARG_KNOWS} ${ARG_USES})
endfunction()
