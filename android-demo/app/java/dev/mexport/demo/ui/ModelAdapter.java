package dev.mexport.demo.ui;

import android.content.Context;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.BaseAdapter;
import android.widget.TextView;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Result;
import dev.mexport.demo.model.Model;

/** A row for each model. */
final class ModelAdapter extends BaseAdapter {
    private final Session session;

    ModelAdapter(Session session) {
        this.session = session;
    }

    @Override public int getCount() {
        return session.models().size();
    }

    @Override public Model getItem(int position) {
        return session.models().get(position);
    }

    @Override public long getItemId(int position) {
        return position;
    }

    @Override public View getView(int position, View old, ViewGroup parent) {
        View row = old != null ? old : LayoutInflater.from(parent.getContext()).inflate(R.layout.row_model, parent, false);
        Context context = row.getContext();
        Model model = getItem(position);
        Result result = session.result(model.name());
        text(row, R.id.name, model.name());
        text(row, R.id.facts, Words.facts(context, model));
        TextView headline = text(row, R.id.headline, Words.headline(context, result));
        headline.setTextColor(Words.colour(context, result));
        TextView check = text(row, R.id.checked, session.check(model.name()) == null ? "" : Words.check(context, session.check(model.name())));
        check.setVisibility(check.length() == 0 ? View.GONE : View.VISIBLE);
        return row;
    }

    private static TextView text(View row, int id, String text) {
        TextView view = row.findViewById(id);
        view.setText(text);
        return view;
    }
}
