//! The macro that makes an enum of a table of rules.

/// Rules by the anchor of their section. A rule's sentence is what its mutant does not keep.
macro_rules! rules {
    ($($section:literal: { $($rule:ident $sentence:literal)* })*) => {
        /// A rule of the specification.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Rule {
            $($(#[doc = $sentence] $rule,)*)*
        }

        impl Rule {
            /// All rules, in the order of the specification.
            pub const ALL: &[Self] = &[$($(Self::$rule,)*)*];

            /// Its name, as it is written in the code.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$rule => stringify!($rule),)*)* }
            }

            /// What it says.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $($(Self::$rule => $sentence,)*)* }
            }

            /// The anchor of the section that it is from.
            #[must_use]
            pub fn section(self) -> &'static str {
                match self { $($(Self::$rule => $section,)*)* }
            }
        }

        impl std::fmt::Display for Rule {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(super) use rules;
