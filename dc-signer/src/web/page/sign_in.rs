//! The form for an operator's token.

use maud::{Markup, html};

use super::layout::bare;

/// The form; `next` is where it leads, `refused` why a token was not accepted.
pub(in crate::web) fn sign_in(next: &str, refused: Option<&str>) -> Markup {
    let main = html! {
        div.narrow.card {
            h1 { "Sign in" }
            @if let Some(why) = refused {
                p #refused.notice.severe role="alert" { (why) }
            }
            form action="/sign-in" method="post" {
                input type="hidden" name="next" value=(next);
                label for="token" { "Your operator's token" }
                input #token type="password" name="token" required maxlength="256" autocomplete="current-password"
                    autocapitalize="none" spellcheck="false" autofocus aria-invalid=[refused.is_some().then_some("true")]
                    aria-describedby=(if refused.is_some() { "refused token-help" } else { "token-help" });
                p #token-help.small { "It begins with " code { "dcs_" } ". An operator's certificate in your browser needs no token." }
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    bare("Sign in", &main)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_when_a_token_is_not_accepted_and_keeps_where_to_go() {
        let page = sign_in("/devices?q=\"><script>", Some("no")).into_string();
        assert!(page.contains("role=\"alert\"") && !page.contains("<script>"));
        assert!(page.contains("value=\"/devices?q=&quot;&gt;&lt;script&gt;\""));
        assert!(!sign_in("/", None).into_string().contains("role=\"alert\""));
    }
}
