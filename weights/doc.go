// Package weights reads and writes the files that hold a model's tensors.
//
// [Open] detects the kind of a file by its content and reads three of them:
//
//   - safetensors, memory-mapped;
//   - the zip archives of torch.save (.bin, .pt, .pth), whose stored members
//     are used in place from the mapping;
//   - the older stream of pickles that torch.save wrote before it used zip.
//
// [File.Checkpoint] reads a torch file as a training checkpoint of open_clip_train, and
// [WriteSafetensors] and [WriteTorch] write files.
//
// Torch files are pickles. The reader here is a small stack machine that knows
// the opcodes torch writes and a fixed list of names; everything else is refused
// when it is met. It has no way to call, import or execute anything.
//
// A file is hostile until checked. Every error is typed ([FormatError],
// [UnsupportedError], [LimitError], [FaultError], [NotFoundError], [SizeError]),
// names the file and the tensor, and says what was wanted and what was found.
// Sizes are checked before memory is asked for: reading the structure of a file
// takes a bounded amount of memory, whatever the file claims.
//
// # Views and the life of a mapping
//
// [Tensor.Float32] and [Tensor.Bytes] return views of the mapping where they can.
// A view is read-only (writing to it ends the program) and is valid until
// [File.Close]; using one afterwards ends the program as well. Whoever keeps
// views therefore keeps the File open.
//
// A file that another process truncates while it is mapped makes the system
// deliver a fault on the first touch of a lost page. All functions of this
// package turn that into a [FaultError]. Code that reads views directly runs
// inside [File.Guard]:
//
//	err := file.Guard(func() error { return program.Run(ctx) })
//
// The Go runtime decides goroutine by goroutine whether a fault is a panic or the
// end of the program, so the goroutines of a worker pool need one line of their own:
//
//	func worker(tasks <-chan func(), failed chan<- any) {
//		debug.SetPanicOnFault(true)
//		for task := range tasks {
//			func() {
//				defer func() {
//					if v := recover(); v != nil {
//						failed <- v
//					}
//				}()
//				task()
//			}()
//		}
//	}
//
// The pool re-panics, on the goroutine that submitted the work, with the very
// value that it recovered; Guard recognises it by the address of the fault and
// returns a FaultError. Any other panic passes through unchanged. The pool needs
// no knowledge of this package.
package weights
