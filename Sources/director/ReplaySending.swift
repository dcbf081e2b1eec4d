import ArgumentParser
import Instruments
import LVS
import PacketIO
import Posix

/// `director replay --interface`: a capture onto a wire, as it was or faster, instead of through rules.
struct ReplaySending: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Send the capture on this interface instead of playing it through rules.",
            valueName: "name"))
    var interface: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How fast to send: as captured, so many times as fast, or as fast as the interface can.",
            valueName: "1x|10x|max"))
    var speed: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Ethernet address that packets of links without addresses are sent to.",
            valueName: "mac"))
    var to: String?

    func validate() throws {
        if let speed, PacketPacer.Speed(speed) == nil {
            throw ValidationError("--speed \(speed): accepted are \(PacketPacer.Speed.accepted)")
        }
        if let to, HardwareAddress(colons: to) == nil {
            throw ValidationError("--to \(to): an Ethernet address is accepted")
        }
        guard interface != nil || (speed == nil && to == nil) else {
            throw ValidationError("--speed and --to need --interface NAME")
        }
    }

    /// Sends the capture and reports; false when a signal ended it.
    func send(_ capture: MergedCapture, on name: String, _ interruption: borrowing Interruption)
        throws
        -> Bool
    {
        let driver: InterfaceSender
        do throws(DriverError) {
            driver = try InterfaceSender(interface: name)
        } catch {
            throw StartFailure("\(error)")
        }
        let sender = PacedSender(
            driver: driver, speed: speed.flatMap(PacketPacer.Speed.init) ?? .times(1),
            hardware: (
                driver.hardware, to.flatMap { HardwareAddress(colons: $0) } ?? .broadcast
            ))
        var progress = ReplayProgress(capture)
        var packets: UInt64 = 0
        var isWhole = true
        while let packet = capture.next() {
            packets += 1
            guard
                sender.send(
                    packet, on: capture.link(of: packet),
                    isStopped: { interruption.hasCome })
            else {
                isWhole = false
                break
            }
            if packets & 0x7f == 0 { progress.show(packets) }
        }
        sender.flush()
        progress.end()
        Program.output(Self.text(sender.report, packets, capture))
        return isWhole
    }

    private static func text(
        _ report: PacedSender.Report, _ packets: UInt64, _ capture: MergedCapture
    ) -> String {
        let milliseconds = Double(report.duration / 10_000) / 100
        var lines = [
            "sent         \(report.frames - min(report.frames, report.lost)) frames of \(packets) packets, "
                + "\(report.bytes) bytes in \(milliseconds) ms, \(Int(report.rate)) a second",
            "lost         \(report.lost) that the interface did not take",
            "late         \(report.mostLate / 1000) us at most",
        ]
        if report.leftOut > 0 {
            let why = report.firstRefusal.map { "; the first: \($0)" } ?? "; their ends are missing"
            lines.append("left out     \(report.leftOut)\(why)")
        }
        lines += capture.remarkLines.map { "capture      \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }
}
