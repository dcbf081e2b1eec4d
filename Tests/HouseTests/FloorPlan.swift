/// What the architecture says about one target of the house.
struct Hall {
    /// Name of the target and of its directory below `Sources`.
    let name: String
    /// Its rooms, that is the directories in it; empty: its files lie in the target's own directory.
    let rooms: Set<String>
    /// Files that may lie beside the rooms: names, or with a trailing `*` beginnings of names.
    let files: [String]
    /// Modules that may be imported.
    let imports: Set<String>
    /// Rooms that may touch memory unsafely; `""` is the target's own directory.
    let unsafeRooms: Set<String>

    init(
        _ name: String, rooms: Set<String> = [], files: [String] = ["*"], imports: Set<String>,
        unsafe unsafeRooms: Set<String> = []
    ) {
        self.name = name
        self.rooms = rooms
        self.files = files
        self.imports = imports
        self.unsafeRooms = unsafeRooms
    }
}

/// The floor plan: every Swift target, its rooms and the imports of each.
enum FloorPlan {
    /// Packages from outside, each let into the doors that need it.
    static let packages: Set<String> = ["ArgumentParser", "Logging"]

    static let halls = [
        Hall(
            "LVS",
            rooms: [
                "Wire", "Model", "Services", "Connections", "Protocols", "Schedulers",
                "Forwarding", "Helpers", "Pipeline", "Counters",
            ],
            files: ["Director.swift", "Director+*"],
            imports: ["Synchronization", "CIntrinsics"],
            // Raw memory is bytes of frames, tables that workers share, and cells reached by address;
            // the operator's words, the schedulers and the helpers work on values.
            unsafe: [
                "", "Wire", "Connections", "Services", "Pipeline", "Forwarding", "Protocols",
                "Counters",
            ]),
        Hall("Posix", imports: ["Glibc", "Synchronization", "CPosix"], unsafe: [""]),
        Hall(
            "PacketIO",
            rooms: [
                "AFPacket", "XDP", "NFQueue", "Pcap", "Memory", "Neighbours", "HostSide", "Survey",
            ],
            files: [
                "DriverRegistry.swift", "DriverError.swift", "BurstDriver.swift",
                "InterfaceDriver.swift", "AddressAnswering.swift", "WorkerLoop.swift",
                "WorkerCounts.swift", "AdaptiveSpin.swift", "ServedInterface.swift",
                "DriverCommons.swift", "CrowdedProcessors.swift",
            ],
            imports: ["LVS", "Posix", "CPacketIO", "CPcap", "Synchronization"],
            unsafe: [
                "", "AFPacket", "XDP", "NFQueue", "Pcap", "Memory", "Neighbours", "HostSide",
                "Survey",
            ]),
        Hall(
            "Control",
            rooms: [
                "Server", "Grammar", "Personality", "Printing", "DesiredState", "Client", "Top",
                "Capture",
            ],
            files: ["ControlPath.swift"],
            imports: ["LVS", "Posix"]),
        Hall("Sync", imports: ["LVS", "Posix", "Synchronization"]),
        Hall(
            "Instruments",
            rooms: ["Capture", "Replay", "Explanation", "Simulator", "Report"],
            files: [],
            imports: ["LVS", "Posix", "CPcap", "Synchronization"],
            // Bytes of capture files, and the frames that a replay lends to the engine.
            unsafe: ["Capture", "Replay"]),
        Hall(
            "director",
            imports: packages.union([
                "LVS", "Posix", "PacketIO", "Control", "Sync", "Instruments",
            ]),
            // One place: the daemon maps the table's memory and hands it to the engine.
            unsafe: [""]),
        Hall("directorctl", imports: ["Control"]),
        Hall("director-run", imports: ["Control"]),
    ]

    /// Files whose types are public so that other targets' code for every frame is compiled with them:
    /// the compiler inlines nothing across modules that is `package` (Swift 6.3).
    static let inlined: Set<String> = [
        "LVS/Wire/Frame.swift", "LVS/Pipeline/Verdict.swift",
        "LVS/Pipeline/Burst.swift",
    ]

    /// Targets written in C: no Swift rule applies to them, except that their files are short too.
    static let foreign: Set<String> = [
        "CIntrinsics", "CPosix", "CPacketIO", "CPcap", "CDirectorPreload",
    ]

    /// Longest file, in lines.
    static let longest = 400

    static func hall(_ name: String) -> Hall? {
        halls.first { $0.name == name }
    }
}
