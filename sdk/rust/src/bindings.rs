//! The WIT packages of the host as Rust items: generated, and nothing else.
//! INVARIANT: imports and exports are worlds of their own, so that a component imports only the functions its guest
//! calls and exports only the interface it was made for.

/// Everything that a step or a gate may call.
pub mod imports {
    wit_bindgen::generate!({
        path: [
            "../../wit/aim-types@0.1.0",
            "../../wit/aim-host@0.1.0",
            "../../wit/aim-witness@0.1.0",
            "../../wit/aim-gate@0.1.0",
            "../../wit/aim-artifact@0.1.0",
            "../../wit/aim-log@0.1.0",
            "../../wit/aim-secret@0.1.0",
        ],
        inline: "
            package aim:sdk;
            world calls {
                import aim:types/types@0.1.0;
                import aim:host/context@0.1.0;
                import aim:host/budget@0.1.0;
                import aim:witness/attest@0.1.0;
                import aim:gate/consult@0.1.0;
                import aim:gate/codex@0.1.0;
                import aim:artifact/store@0.1.0;
                import aim:log/log@0.1.0;
                import aim:secret/handles@0.1.0;
            }
        ",
        world: "aim:sdk/calls",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

/// The export of a step.
pub mod step {
    wit_bindgen::generate!({
        path: [
            "../../wit/aim-types@0.1.0",
            "../../wit/aim-host@0.1.0",
            "../../wit/aim-witness@0.1.0",
            "../../wit/aim-gate@0.1.0",
            "../../wit/aim-artifact@0.1.0",
            "../../wit/aim-log@0.1.0",
            "../../wit/aim-step@0.1.0",
        ],
        world: "aim:step/pure-step@0.1.0",
        with: { "aim:types/types@0.1.0": crate::bindings::imports::aim::types::types },
        export_macro_name: "export_handler",
        pub_export_macro: true,
        default_bindings_module: "aim_sdk::bindings::step",
    });
}

/// The export of a gate that reads its codex once.
pub mod preparing {
    wit_bindgen::generate!({
        path: ["../../wit/aim-types@0.1.0", "../../wit/aim-gate@0.1.0"],
        inline: "
            package aim:sdk;
            world prepares {
                export aim:gate/prepare@0.1.0;
            }
        ",
        world: "aim:sdk/prepares",
        with: {
            "aim:types/types@0.1.0": crate::bindings::imports::aim::types::types,
            "aim:gate/types@0.1.0": crate::bindings::imports::aim::gate::types,
        },
        export_macro_name: "export_prepare",
        pub_export_macro: true,
        default_bindings_module: "aim_sdk::bindings::preparing",
    });
}

/// The export of a gate.
pub mod gate {
    wit_bindgen::generate!({
        path: ["../../wit/aim-types@0.1.0", "../../wit/aim-gate@0.1.0"],
        inline: "
            package aim:sdk;
            world judges {
                export aim:gate/judge@0.1.0;
            }
        ",
        world: "aim:sdk/judges",
        with: {
            "aim:types/types@0.1.0": crate::bindings::imports::aim::types::types,
            "aim:gate/types@0.1.0": crate::bindings::imports::aim::gate::types,
        },
        export_macro_name: "export_judge",
        pub_export_macro: true,
        default_bindings_module: "aim_sdk::bindings::gate",
    });
}
