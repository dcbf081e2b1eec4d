// swift-tools-version: 6.2
import PackageDescription

// What every Swift target of the house is built with; the house rules of Tests/HouseTests rely on it.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
]

let package = Package(
    name: "swift-lvs",
    products: [
        .executable(name: "director", targets: ["director"]),
        .executable(name: "directorctl", targets: ["directorctl"]),
        .executable(name: "director-run", targets: ["director-run"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    ],
    targets: [
        // Ground
        .target(name: "CIntrinsics"),
        .target(name: "LVS", dependencies: ["CIntrinsics"], swiftSettings: strict),
        .target(name: "CPosix"),
        .target(name: "Posix", dependencies: ["CPosix"], swiftSettings: strict),
        .target(
            name: "CPacketIO",
            linkerSettings: [.linkedLibrary("mnl"), .linkedLibrary("nftables")]),
        .systemLibrary(name: "CPcap", providers: [.apt(["libpcap-dev"])]),

        // Wings
        .target(
            name: "PacketIO", dependencies: ["LVS", "Posix", "CPacketIO", "CPcap"],
            swiftSettings: strict),
        .target(name: "Control", dependencies: ["LVS", "Posix"], swiftSettings: strict),
        .target(name: "Sync", dependencies: ["LVS", "Posix"], swiftSettings: strict),
        .target(
            name: "Instruments", dependencies: ["LVS", "Posix", "CPcap"], swiftSettings: strict),

        // Doors
        .executableTarget(
            name: "director",
            dependencies: [
                "LVS", "Posix", "PacketIO", "Control", "Instruments", "Sync",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "directorctl", dependencies: ["Control"], swiftSettings: strict),
        // Finds libdirector-preload.so beside itself, which Sources/CDirectorPreload/build makes.
        .executableTarget(
            name: "director-run", dependencies: ["Control"], swiftSettings: strict),

        // Tests
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .target(
            name: "TestKit", dependencies: ["LVS", "PacketIO"], path: "Tests/TestKit",
            swiftSettings: strict),
        .target(name: "CSteps", path: "Tests/CSteps"),
        // Kills operations of the table at every instruction; the tests run it.
        .executableTarget(
            name: "KillSteps", dependencies: ["LVS", "Posix", "CSteps"], path: "Tests/KillSteps",
            swiftSettings: strict),
        .testTarget(
            name: "LVSTests", dependencies: ["LVS", "TestKit", "CAllocationCounter"],
            swiftSettings: strict),
        .target(
            name: "FuzzKit",
            dependencies: ["LVS", "TestKit", "Control", "Instruments", "Sync", "Posix"],
            path: "Tests/Fuzz/FuzzKit",
            swiftSettings: strict),
        .testTarget(
            name: "GoldenTests", dependencies: ["LVS", "TestKit", "Control", "Sync", "FuzzKit"],
            resources: [.copy("Fixtures")], swiftSettings: strict),
        .testTarget(
            name: "PacketIOTests",
            dependencies: ["PacketIO", "LVS", "Posix", "TestKit", "KillSteps"],
            exclude: ["Conformance/README.md"], swiftSettings: strict),
        .testTarget(
            name: "ControlTests", dependencies: ["Control", "LVS", "Posix"],
            resources: [.copy("Fixtures")], swiftSettings: strict),
        .testTarget(
            name: "SyncTests", dependencies: ["Sync", "LVS", "Posix", "TestKit"],
            resources: [.copy("Fixtures")], swiftSettings: strict),
        .testTarget(
            name: "InstrumentsTests",
            dependencies: ["Instruments", "Control", "LVS", "Posix", "CPcap", "TestKit"],
            resources: [.copy("Fixtures")], swiftSettings: strict),
        .testTarget(name: "HouseTests", swiftSettings: strict),

        // Benchmarks
        .target(name: "CReference", path: "Benchmarks/CReference"),
        .executableTarget(
            name: "Bench",
            dependencies: ["LVS", "Posix", "Sync", "Instruments", "CPcap", "CReference"],
            path: "Benchmarks/Bench", swiftSettings: strict),
    ]
)

// Fuzz targets have libFuzzer's main function, which breaks a plain build: only when asked for.
if Context.environment["FUZZ"] == "1" {
    for name in [
        "FuzzFrame", "FuzzICMP", "FuzzFragments", "FuzzHelpers", "FuzzDialect", "FuzzGrammar",
        "FuzzCapture", "FuzzSync", "FuzzTable",
    ] {
        package.products.append(.executable(name: name, targets: [name]))
        package.targets.append(
            .executableTarget(
                name: name, dependencies: ["FuzzKit"], path: "Tests/Fuzz/\(name)",
                swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
    }
}
