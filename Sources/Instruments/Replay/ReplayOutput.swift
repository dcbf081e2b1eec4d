package import LVS
package import Posix

/// Writes what leaves a replayed director to capture files: one for all its interfaces, or one each.
package final class ReplayOutput: ReplaySink {
    /// Where frames of a port go to, and the interface's position there.
    private struct Way {
        var writer: CaptureWriter
        var interface: Int
    }

    private var ways: [Way?]
    /// Files in the order they were asked for.
    private let writers: [CaptureWriter]
    /// Why nothing more is written; the first failure.
    package private(set) var failure: CaptureError?

    /// Makes the files; `name` nil takes the frames of every port.
    package init(
        _ files: [(name: String?, path: String)], ports: [Port],
        sparing: [Files.Identity]
    ) throws(CaptureError) {
        var ways = [Way?](repeating: nil, count: ports.count)
        var writers: [CaptureWriter] = []
        for file in files {
            let all: [Port]
            if let name = file.name {
                guard let port = ports.first(where: { $0.name == name }) else {
                    let known = ports.map(\.name).joined(separator: ", ")
                    throw CaptureError(
                        .badArgument, "there is no interface \(name), accepted are \(known)")
                }
                all = [port]
            } else {
                all = ports
            }
            for port in all where ways[Int(port.index)] != nil {
                throw CaptureError(
                    .badArgument, "frames of \(port.name) would go to more than one file")
            }
            let isOne = CaptureWriter.Format.named(by: file.path) == .pcap
            let interfaces = all.map {
                CaptureInterface(name: $0.name, linkType: 1, snapshotLength: 0)
            }
            let writer = try CaptureWriter(
                path: file.path, interfaces: isOne ? Array(interfaces.prefix(1)) : interfaces,
                sparing: sparing)
            writers.append(writer)
            for (index, port) in all.enumerated() {
                ways[Int(port.index)] = Way(writer: writer, interface: isOne ? 0 : index)
            }
        }
        self.ways = ways
        self.writers = writers
    }

    package func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {
        guard failure == nil, let way = ways[Int(port)] else { return }
        do throws(CaptureError) {
            let missing = min(frame.slot, frame.length)
            try way.writer.write(
                frame, missing: Int(missing), time: time, interface: way.interface)
        } catch {
            failure = error
        }
    }

    package func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {}

    /// Brings everything to the files and closes them.
    package func close() {
        for writer in writers {
            do throws(CaptureError) {
                try writer.close()
            } catch {
                if failure == nil { failure = error }
            }
        }
    }

    /// What was written, a line for each file.
    package var lines: [String] {
        writers.map { "\($0.packets) packets, \($0.bytes) bytes to \($0.name)" }
    }
}
