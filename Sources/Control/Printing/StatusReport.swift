/// What `directorctl status` shows, gathered by the housekeeper and rendered here.
package struct StatusReport: Sendable {
    /// One served interface and its driver.
    package struct Interface: Sendable {
        package var name: String
        /// Scheme of the driver: `afpacket`.
        package var driver: String
        /// What the driver found: MAC address, MTU, ring, offloads, carrier.
        package var found: String
        package var up: Bool
        package var received: Traffic
        package var sent: Traffic
        package var ringFull: UInt64
        package var truncated: UInt64
        package var sendFailed: UInt64

        package init(
            name: String, driver: String, found: String, up: Bool, received: Traffic,
            sent: Traffic, ringFull: UInt64, truncated: UInt64, sendFailed: UInt64
        ) {
            self.name = name
            self.driver = driver
            self.found = found
            self.up = up
            self.received = received
            self.sent = sent
            self.ringFull = ringFull
            self.truncated = truncated
            self.sendFailed = sendFailed
        }
    }

    /// Frames since the start and in the last second.
    package struct Traffic: Sendable {
        package var frames: UInt64
        package var bytes: UInt64
        package var framesPerSecond: UInt64

        package init(frames: UInt64, bytes: UInt64, framesPerSecond: UInt64) {
            self.frames = frames
            self.bytes = bytes
            self.framesPerSecond = framesPerSecond
        }
    }

    /// One thread that forwards frames.
    package struct Worker: Sendable {
        /// The CPU it is bound to; nil when to none.
        package var cpu: Int?
        package var frames: UInt64
        package var bursts: UInt64
        package var sent: UInt64
        package var sleeps: UInt64
        /// CPU time it has used.
        package var cpuNanoseconds: UInt64

        package init(
            cpu: Int?, frames: UInt64, bursts: UInt64, sent: UInt64, sleeps: UInt64,
            cpuNanoseconds: UInt64
        ) {
            self.cpu = cpu
            self.frames = frames
            self.bursts = bursts
            self.sent = sent
            self.sleeps = sleeps
            self.cpuNanoseconds = cpuNanoseconds
        }
    }

    /// A counted drop reason and what to do about it.
    package struct Drop: Sendable {
        package var reason: String
        package var count: UInt64
        package var cure: String

        package init(reason: String, count: UInt64, cure: String) {
            self.reason = reason
            self.count = count
            self.cure = cure
        }
    }

    package var version: String
    package var uptimeSeconds: UInt64
    package var control: String
    package var interfaces: [Interface] = []
    /// The workers, in their order.
    package var workers: [Worker] = []
    package var drops: [Drop] = []
    package var connections: UInt64 = 0
    package var capacity: UInt64 = 0
    package var tableBytes: UInt64 = 0
    /// Size of the table's memory and the pages it lies in.
    package var tablePages = ""
    /// Next hops that do not answer: `192.168.0.18 on eth1`.
    package var unresolved: [String] = []
    /// Servers that cannot be reached by a served interface, with the reason.
    package var unreachableServers: [String] = []
    /// What the director has put into the host: ingress block, host door.
    package var hostObjects: [String] = []
    /// Virtual addresses it answers ARP for.
    package var answered: [String] = []
    /// How packets of netfilter's queues were answered, one line for each queue.
    package var queues: [String] = []
    /// What the master daemon has told other directors.
    package var master: [String] = []
    /// What the backup daemon has heard from other directors, and what became of it.
    package var backup: [String] = []
    /// What of the host's own marking rules is followed, and what is not.
    package var hostMarks: [String] = []
    /// Anything else an operator should know.
    package var notes: [String] = []

    package init(version: String, uptimeSeconds: UInt64, control: String) {
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.control = control
    }

    /// The report for a terminal; ends in a newline.
    package func rendered() -> String {
        var lines = ["director \(version), up \(Self.duration(uptimeSeconds)), control \(control)"]
        let percent = capacity == 0 ? 0 : connections * 100 / capacity
        lines.append(
            "table: \(connections) of \(capacity) connections (\(percent) %), "
                + tablePages)
        for interface in interfaces { lines += render(interface) }
        for (number, worker) in workers.enumerated() { lines.append(render(worker, number)) }
        lines += section("queues", queues)
        lines += section("kept in the host", hostObjects)
        lines += section("answers ARP for", answered)
        lines += section("master daemon", master)
        lines += section("backup daemon", backup)
        lines += section("marking rules of the host", hostMarks)
        lines += section("next hops that do not answer", unresolved)
        lines += section("servers that cannot be reached", unreachableServers)
        let counted = drops.filter { $0.count > 0 }
        lines.append(counted.isEmpty ? "drops: none" : "drops:")
        for drop in counted {
            lines.append("  \(drop.reason): \(drop.count)  (\(drop.cure))")
        }
        lines += section("notes", notes)
        return lines.joined(separator: "\n") + "\n"
    }

    private func render(_ interface: Interface) -> [String] {
        var lines = [
            "\(interface.name): \(interface.driver), \(interface.up ? "up" : "DOWN"), "
                + interface.found,
            "  in  \(traffic(interface.received))",
            "  out \(traffic(interface.sent))",
        ]
        let lost = interface.ringFull + interface.truncated + interface.sendFailed
        if lost > 0 {
            lines.append(
                "  lost: ring full \(interface.ringFull), truncated \(interface.truncated), "
                    + "refused by the kernel on sending \(interface.sendFailed)")
        }
        return lines
    }

    private func render(_ worker: Worker, _ number: Int) -> String {
        let place = worker.cpu.map { "CPU \($0)" } ?? "any CPU"
        let milliseconds = worker.cpuNanoseconds / 1_000_000
        return "worker \(number): \(place), \(worker.frames) frames in \(worker.bursts) bursts, "
            + "\(worker.sent) sent, slept \(worker.sleeps) times, \(milliseconds) ms of CPU"
    }

    private func traffic(_ traffic: Traffic) -> String {
        "\(traffic.frames) frames, \(traffic.bytes) bytes, \(traffic.framesPerSecond) frames/s"
    }

    private func section(_ title: String, _ rows: [String]) -> [String] {
        rows.isEmpty ? [] : ["\(title):"] + rows.map { "  \($0)" }
    }

    /// Seconds in the two units that say most.
    static func duration(_ seconds: UInt64) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
        case ..<86400: "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: "\(seconds / 86400) d \(seconds / 3600 % 24) h"
        }
    }
}

extension StatusReport {
    /// The report for programs.
    package var json: JSONValue {
        .members([
            "version": .text(version), "uptime_seconds": .large(uptimeSeconds),
            "control": .text(control),
            "table": .members([
                "connections": .large(connections), "capacity": .large(capacity),
                "bytes": .large(tableBytes), "pages": .text(tablePages),
            ]),
            "interfaces": .list(interfaces.map(Self.json)),
            "workers": .list(workers.map(Self.json)),
            "drops": .list(
                drops.map { drop in
                    .members([
                        "reason": .text(drop.reason), "frames": .large(drop.count),
                        "cure": .text(drop.cure),
                    ])
                }),
            "host_objects": Self.texts(hostObjects), "answered_addresses": Self.texts(answered),
            "queues": Self.texts(queues), "host_marks": Self.texts(hostMarks),
            "master": Self.texts(master),
            "backup": Self.texts(backup),
            "unresolved_next_hops": Self.texts(unresolved),
            "unreachable_servers": Self.texts(unreachableServers), "notes": Self.texts(notes),
        ])
    }

    private static func texts(_ texts: [String]) -> JSONValue {
        .list(texts.map { .text($0) })
    }

    private static func json(_ interface: Interface) -> JSONValue {
        .members([
            "name": .text(interface.name), "driver": .text(interface.driver),
            "found": .text(interface.found), "up": .boolean(interface.up),
            "received": json(interface.received), "sent": json(interface.sent),
            "ring_full": .large(interface.ringFull), "truncated": .large(interface.truncated),
            "send_failed": .large(interface.sendFailed),
        ])
    }

    private static func json(_ worker: Worker) -> JSONValue {
        .members([
            "cpu": worker.cpu.map { .large(UInt64($0)) } ?? .null,
            "frames": .large(worker.frames), "bursts": .large(worker.bursts),
            "sent": .large(worker.sent), "sleeps": .large(worker.sleeps),
            "cpu_nanoseconds": .large(worker.cpuNanoseconds),
        ])
    }

    private static func json(_ traffic: Traffic) -> JSONValue {
        .members([
            "frames": .large(traffic.frames), "bytes": .large(traffic.bytes),
            "frames_per_second": .large(traffic.framesPerSecond),
        ])
    }
}
