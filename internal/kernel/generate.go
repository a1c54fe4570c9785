package kernel

//go:generate go run -C gen . -isa avx2 -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avxvnni -out ../avxvnni_amd64.s -stubs ../avxvnni_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx512 -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx512vnni -out ../avx512vnni_amd64.s -stubs ../avx512vnni_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx512bf16 -out ../avx512bf16_amd64.s -stubs ../avx512bf16_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx2backward -out ../backward_avx2_amd64.s -stubs ../backward_avx2_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx512backward -out ../backward_avx512_amd64.s -stubs ../backward_avx512_amd64.go -pkg kernel
//go:generate go run -C gen . -isa avx512bf16backward -out ../backward_avx512bf16_amd64.s -stubs ../backward_avx512bf16_amd64.go -pkg kernel
//go:generate go run -C gen . -isa neon -out ../neon_arm64.s -stubs ../neon_arm64.go
