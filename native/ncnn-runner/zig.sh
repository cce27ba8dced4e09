#!/bin/sh
# zig as the compiler that ncnn's CMake files expect: sh zig.sh ZIG cc|c++ TARGET CPU WORDS…
#
# zig names a processor's features its own way: -march=armv8.2-a+fp16 is -mcpu=generic+v8_2a+fullfp16. Without this CMake's checks fail,
# say so only in a warning, and ncnn is built without fp16 and dotprod.
zig=$1 language=$2 target=$3 cpu=$4
shift 4
count=$#
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  case $word in
    -march=armv8-a | -mfp16-format=ieee) continue ;;
    -march=armv8.*-a*)
      level=${word#-march=armv8.}
      cpu="generic+v8_${level%%-a*}a"
      rest=${level#*-a}
      while [ -n "$rest" ]; do
        rest=${rest#+}
        feature=${rest%%+*}
        rest=${rest#"$feature"}
        if [ "$feature" = fp16 ]; then feature=fullfp16; fi
        cpu="$cpu+$feature"
      done
      continue ;;
    -mfpu=neon-vfpv4) cpu="$cpu+vfp4+fp16"; continue ;;
    # CMake's first look at a compiler links a program, for which zig would build another C library than for ours: minutes
    CMakeC*CompilerId.c*) set -- "$@" -c -o a.out ;;
  esac
  set -- "$@" "$word"
done
exec "$zig" "$language" -target "$target" -mcpu="$cpu" -fno-sanitize=undefined "$@"
