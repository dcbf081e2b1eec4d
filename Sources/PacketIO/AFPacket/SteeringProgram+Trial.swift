internal import CPacketIO
internal import Posix

/// The program that shares an interface among workers, run by the kernel over frames that no interface
/// has seen.
package final class SteeringTrial {
    private let program: Int32

    /// `map` is that of served traffic.
    package init(_ map: RedirectMap) throws(DriverError) {
        let code = SteeringProgram.instructions(map: map.descriptor)
        program = unsafe bpf_load_filter(code, UInt32(code.count), nil, 0)
        guard program >= 0 else {
            throw .redirect(SystemError(last: "load the program"), interface: "trial")
        }
    }

    deinit { bpf_close(program) }

    /// The number that the program answers; what is left of it when divided by the number of workers
    /// is the worker's.
    package func share(of frame: [UInt8]) throws(DriverError) -> Int {
        let answer = unsafe bpf_run(program, frame, UInt32(frame.count))
        guard answer >= 0 else {
            throw .redirect(SystemError(last: "run the program"), interface: "trial")
        }
        return Int(answer)
    }
}
