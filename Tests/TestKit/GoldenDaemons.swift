package import LVS

/// The synchronisation daemons of a scenario that is played: what hears datagrams to a group, and what sends
/// them.
package struct GoldenDaemons {
    /// What a backup does with a datagram's payload.
    package typealias Ear = (_ payload: [UInt8], _ director: Director, _ now: Instant) -> Void
    /// Payloads of what a master has sent by now.
    package typealias Mouth = (_ director: Director, _ now: Instant) -> [[UInt8]]

    private let ear: Ear
    private let makeMaster: (_ arguments: [String], _ settings: Settings) -> Mouth
    private var isHearing = false
    private var mouth: Mouth?
    /// What has been sent, and what was recorded, so far.
    private var told: [[UInt8]] = []
    private var expected: [[UInt8]] = []

    /// `master` makes one from the arguments that start it, and the settings at this time.
    package init(
        backup: @escaping Ear,
        master: @escaping (_ arguments: [String], _ settings: Settings) -> Mouth
    ) {
        ear = backup
        makeMaster = master
    }

    var isTelling: Bool { mouth != nil }

    mutating func start(_ arguments: [String], _ director: Director) {
        guard arguments.dropFirst().first != "backup" else {
            isHearing = true
            return
        }
        director.setMasterDaemon(isRunning: true)
        mouth = makeMaster(arguments, director.settings)
    }

    mutating func stop(_ arguments: [String], _ director: Director) {
        guard arguments.dropFirst().first != "backup" else {
            isHearing = false
            return
        }
        director.setMasterDaemon(isRunning: false)
        mouth = nil
    }

    func hear(_ payload: [UInt8], _ director: Director, _ now: Instant) {
        if isHearing { ear(payload, director, now) }
    }

    mutating func tell(_ director: Director, _ now: Instant) {
        if let mouth { told += mouth(director, now) }
    }

    mutating func expect(_ step: Golden.Step) {
        for output in step.out ?? [] where GoldenDaemons.isMessage(output) {
            guard let bytes = [UInt8](hexadecimal: output.hex) else { continue }
            expected.append(Array(bytes.dropFirst(bytes.isIPv6 ? 62 : 42)))
        }
    }

    /// How what was sent differs from what was recorded; when it was sent is not compared, but its order.
    ///
    /// A message that left because of its age may have been longer: with `isAged` only entries count.
    func difference(isAged: Bool) -> String? {
        let (left, right) = isAged ? (entries(expected), entries(told)) : (expected, told)
        guard left != right else { return nil }
        guard let place = left.indices.first(where: { $0 >= right.count || left[$0] != right[$0] })
        else { return "\(right.count) messages to other directors, not \(left.count)" }
        let got = place < right.count ? GoldenDaemons.digits(right[place]) : "nothing"
        return
            "message \(place) to other directors: expected \(GoldenDaemons.digits(left[place])), "
            + "got \(got)"
    }

    /// The entries of all messages in one piece.
    private func entries(_ messages: [[UInt8]]) -> [[UInt8]] {
        [messages.flatMap { $0.dropFirst($0.first == 0 ? 8 : 4) }]
    }

    /// A datagram of the host itself to a group, over IPv4 or IPv6.
    static func isMessage(_ output: Golden.Output) -> Bool {
        output.hex.hasPrefix("01005e") || output.hex.hasPrefix("3333")
    }

    private static func digits(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
