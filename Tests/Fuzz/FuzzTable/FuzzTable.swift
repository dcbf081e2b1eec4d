import FuzzKit

/// libFuzzer calls from one thread.
nonisolated(unsafe) private let worlds = FuzzWorlds(lifetime: 1)

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    FuzzTarget.table.run(
        Array(unsafe UnsafeBufferPointer(start: bytes, count: count)), in: unsafe worlds)
    return 0
}
